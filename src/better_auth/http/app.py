"""The way of one request: table, guards, endpoint, wire."""

import logging
from collections.abc import Sequence

from pydantic import BaseModel

from better_auth.errors import AuthError, MethodNotAllowed, NotFound
from better_auth.http.body import read_body, read_form, read_query
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import Endpoint, EndpointTable
from better_auth.http.guards import SAFE_METHODS, OriginGuard, RateLimiter
from better_auth.http.messages import (
    AuthRequest,
    AuthResponse,
    ErrorResponse,
    Header,
    Headers,
    Redirect,
)
from better_auth.http.wire import Wire, render_json

logger = logging.getLogger("better_auth")

JSON: tuple[Header, ...] = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
)
"""The headers of every answer that is JSON."""


class AuthApp:
    """The endpoints of one application behind one wire, without a server."""

    def __init__(
        self,
        context: Context,
        endpoints: Sequence[Endpoint],
        wire: Wire,
        limiter: RateLimiter | None,
    ) -> None:
        """``limiter`` may be shared: what is served in several looks is asked so often in all."""
        config = context.config
        self.table = EndpointTable([wire.dress(endpoint) for endpoint in endpoints])
        self.wire = wire
        self.observers = context.observers
        self._context = context
        self._limiter = limiter
        lasting = (e for e in self.table.endpoints if e.is_lasting and e.route.method == "GET")
        self._lasting = {endpoint.route.path: endpoint for endpoint in lasting}
        self._sessions = context.sessions
        self._origin_guard = None if config.disable_csrf_check else OriginGuard(context.origins)

    def at_hand(self, path: str, headers: Sequence[Header]) -> bytes | None:
        """The body that answers a GET, where it is known without asking anybody: what an endpoint
        whose answer lasts has told the same caller before.

        None says nothing: go the whole way. It is nearly all that most requests need, and spares
        them two dozen steps.
        """
        endpoint = self._lasting.get(path)
        if endpoint is None or self._limiter is not None:
            return None
        if self.observers or self._sessions.is_watched:
            return None  # each would be told, or tell of, one check twice
        credential = self.wire.credential(Headers(headers))
        if credential is None:
            return None
        caller = self._sessions.at_hand(credential.token)
        return None if caller is None else caller.answers.get(endpoint)

    def route(self, request: AuthRequest) -> Endpoint:
        """The endpoint meant, its path parameters noted in the request.

        Raises ``NotFound`` or ``MethodNotAllowed``.
        """
        methods, request.path_params = self.table.find(request.path)
        endpoint = methods.get(request.method)
        if endpoint is None:
            if not methods:
                raise NotFound
            raise MethodNotAllowed(", ".join(sorted(methods)))
        return endpoint

    def admits(self, request: AuthRequest) -> bool:
        """Whether no guard has anything to say of ``request``; saves asking them."""
        return self._limiter is None and request.method in SAFE_METHODS

    async def admit(self, request: AuthRequest, endpoint: Endpoint) -> None:
        """The guards. Raises ``TooManyRequests`` or ``Forbidden``."""
        if self._limiter is not None and not endpoint.route.is_probe:
            await self._limiter.check(request, endpoint)
        if self._origin_guard is not None and request.method not in SAFE_METHODS:
            self._origin_guard.check(request, endpoint)

    async def answer(self, request: AuthRequest, endpoint: Endpoint) -> AuthResponse:
        """Run ``endpoint`` for an admitted request whose body is there."""
        call = Call(self._context, request, self.wire)
        try:
            if endpoint.body is None and endpoint.query is None:
                result = await endpoint.function(call)
            else:
                result = await endpoint.function(call, **_arguments(request, endpoint))
            if isinstance(result, Redirect):
                response = result.response()
            else:
                response = AuthResponse(200, self._body(result, endpoint, call), [*JSON])
        except AuthError as error:
            response = self.refusal(error, request)
        except Exception:
            response = internal_error(endpoint)
        response.headers += call.headers
        if call.cookies:
            response.headers += self.wire.cookie_headers(call.cookies)
        return response

    def _body(self, result: object, endpoint: Endpoint, call: Call) -> bytes:
        """``result`` as JSON, made once for as long as it says the same."""
        caller = call.known_principal if endpoint.is_lasting else None
        if caller is None:
            return self.wire.render(result)
        if endpoint not in caller.answers:
            caller.answers[endpoint] = self.wire.render(result)
        return caller.answers[endpoint]

    def refusal(self, error: AuthError, request: AuthRequest) -> AuthResponse:
        """The answer to what an endpoint, or a guard before it, refuses."""
        return error_response(self.wire.error(error, request.path))


def _arguments(request: AuthRequest, endpoint: Endpoint) -> dict[str, BaseModel]:
    arguments: dict[str, BaseModel] = {}
    if endpoint.body is not None:
        read = read_form if endpoint.route.takes_form else read_body
        arguments["body"] = read(request, endpoint.body)
    if endpoint.query is not None:
        arguments["query"] = read_query(request, endpoint.query)
    return arguments


def error_response(error: AuthError) -> ErrorResponse:
    """``{"code": ..., "message": ...}`` with the error's status and headers."""
    body = f'{{"code":{render_json(error.code)},"message":{render_json(error.message)}}}'
    headers = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    content = body.encode("utf-8", "replace")
    return ErrorResponse(error.status, content, [*JSON, *headers], error.code)


def internal_error(endpoint: Endpoint | None) -> AuthResponse:
    """The one answer to what nobody foresaw; the cause goes to the log, never to the client. The
    path as it was asked does not: there are paths with a token in them."""
    asked = f"{endpoint.route.method} {endpoint.route.path}" if endpoint else "a request"
    logger.exception("%s failed", asked)
    return error_response(unforeseen())


def unforeseen() -> AuthError:
    """500, which says nothing."""
    return AuthError(500, "INTERNAL_SERVER_ERROR", "Something went wrong")
