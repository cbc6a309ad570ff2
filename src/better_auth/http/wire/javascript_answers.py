"""Answers that the official JavaScript client wants otherwise than the session page has them.

A table by path: what becomes of a result, and what an error is called there. Everything that is
not in it looks the same on both wires.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeAlias, Union, get_args
from urllib.parse import parse_qsl

from pydantic import create_model

from better_auth.errors import AuthError, Unauthorized
from better_auth.http.call import Call, Challenge
from better_auth.http.endpoints import Endpoint
from better_auth.models import Fields, Session, User

Function: TypeAlias = Callable[..., Awaitable[Any]]


class Status(Fields):
    """It was done."""

    status: bool = True


class SignedOut(Fields):
    """There is no session any longer."""

    success: bool = True


class TwoFactorRedirect(Fields):
    """No session yet: a second factor is due. The pending sign-in is named by a cookie alone."""

    two_factor_redirect: bool = True
    two_factor_methods: list[str]


class CurrentSession(Fields):
    """The session that asked, and its user."""

    session: Session
    user: User


class DeferredSession(CurrentSession):
    """The same, where reading extends nothing: whether it is time to POST, which does."""

    needs_refresh: bool


def dressed(endpoint: Endpoint, *, defer_refresh: bool) -> Endpoint:
    """``endpoint`` as the JavaScript client wants it; see ``SessionConfig.defer_refresh``."""
    path = endpoint.route.path
    if path == "/get-session":
        return _get_session(endpoint, defer_refresh)
    if path == "/sign-out":
        endpoint = replace(endpoint, function=_sign_out(endpoint.function), result=SignedOut)
    elif path.startswith("/sign-in/") or Challenge in get_args(endpoint.result):
        function, result = _answering(endpoint.function, _signed_in), _signed_in_kind(endpoint)
        endpoint = replace(endpoint, function=function, result=result)
    elif path in _RESULTS:
        result, transform = _RESULTS[path]
        endpoint = replace(
            endpoint, function=_answering(endpoint.function, transform), result=result
        )
    is_about_session = endpoint.route.access == "session"
    return _unextended(endpoint) if defer_refresh and is_about_session else endpoint


_RESULTS: Mapping[str, tuple[Any, Callable[[Any], object]]] = {
    "/list-sessions": (list[Session], lambda result: result.sessions),
    "/revoke-session": (Status, lambda _: Status()),
    "/revoke-sessions": (Status, lambda _: Status()),
    "/revoke-other-sessions": (Status, lambda _: Status()),
}


def _answering(function: Function, transform: Callable[[Any], object]) -> Function:
    async def answer(call: Call, **arguments: Any) -> object:
        return transform(await function(call, **arguments))

    return answer


def _signed_in(result: Any) -> object:
    """Without the challenge's token, and without a ``url`` that is not there."""
    if isinstance(result, Challenge):
        return TwoFactorRedirect(two_factor_methods=result.two_factor_methods)
    if getattr(result, "url", "") is None:
        fields = type(result).model_fields
        return {
            field.serialization_alias or field.alias or name: getattr(result, name)
            for name, field in fields.items()
            if name != "url" and not field.exclude
        }
    return result


def _signed_in_kind(endpoint: Endpoint) -> Any:
    """What :func:`_signed_in` makes of the endpoint's result, for the documentation."""
    kinds = []
    for kind in get_args(endpoint.result) or (endpoint.result,):
        if kind is Challenge:
            kind = TwoFactorRedirect
        elif "url" in getattr(kind, "model_fields", {}):
            fields: dict[str, Any] = {
                name: (field.annotation, field)
                for name, field in kind.model_fields.items()
                if name != "url"
            }
            kind = create_model(kind.__name__, __base__=Fields, __doc__=kind.__doc__, **fields)
        kinds.append(kind)
    return Union[tuple(kinds)]  # noqa: UP007


def _get_session(endpoint: Endpoint, defer_refresh: bool) -> Endpoint:
    """Null in place of 401, the cookie of a session that is over taken back."""
    get, is_lasting = endpoint.function, endpoint.is_lasting
    defers = defer_refresh and endpoint.route.method == "GET"

    async def get_session(call: Call) -> object:
        caller, asked = call.at_hand(), call.request.query_string
        wants_refresh = not asked or "disableRefresh" not in dict(
            parse_qsl(asked.decode("latin-1"))
        )
        if caller is None:
            caller = await call.principal(refresh=not defers and wants_refresh)
        if caller is None:
            if call.request.cookie(call.wire.session_cookie_name) is not None:
                call.clear_session_cookie()
            return None
        result = await get(call)
        if not defers or not wants_refresh:
            return result
        needs_refresh = call.context.sessions.needs_refresh(caller.session)
        return DeferredSession.trusted({**result.__dict__, "needs_refresh": needs_refresh})

    result: Any = ((DeferredSession | CurrentSession) if defers else CurrentSession) | None
    lasting = get_session if is_lasting and not defers else None
    return replace(endpoint, function=get_session, result=result, lasting=lasting)


def _sign_out(function: Function) -> Function:
    async def sign_out(call: Call, **arguments: Any) -> SignedOut:
        with suppress(Unauthorized):  # who is signed out has what they asked for
            await function(call, **arguments)
        return SignedOut()

    return sign_out


def _unextended(endpoint: Endpoint) -> Endpoint:
    """The session is looked up without extending it; asked again, the call remembers it."""
    function = endpoint.function

    async def answer(call: Call, **arguments: Any) -> object:
        if call.at_hand() is None:
            await call.principal(refresh=False)
        return await function(call, **arguments)

    return replace(endpoint, function=answer)


_CODES: Mapping[str, str] = {
    "INVALID_JSON": "BAD_REQUEST",
    "USER_ALREADY_EXISTS": "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
}
"""Codes of the contract that this side has another name for."""

_STATUSES: Mapping[tuple[str, str], int] = {
    ("/admin/create-user", "USER_ALREADY_EXISTS"): 400,
    ("/admin/update-user", "USER_ALREADY_EXISTS"): 400,
}
"""Where the same thing has another status there."""


def error_as_known(error: AuthError, path: str) -> AuthError:
    """``error`` under the code and status by which users of that client know it."""
    headers = dict(error.headers)
    if error.status == 429 and "Retry-After" in headers:
        headers["X-Retry-After"] = headers["Retry-After"]
    return AuthError(
        _STATUSES.get((path, error.code), error.status),
        _CODES.get(error.code, error.code),
        error.message,
        headers=headers,
    )
