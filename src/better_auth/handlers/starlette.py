"""Starlette: one call mounts everything; sessions in HTTP routes and WebSockets.

app = Starlette(routes=[Route("/me", me)])
mount_auth(app, auth)

async def me(request: Request) -> JSONResponse:
    session = await current_session(request)
    return JSONResponse({"user_id": session.user.id})
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from better_auth.auth import BetterAuth
from better_auth.errors import AuthError, ConfigurationError, MissingExtra, Unauthorized
from better_auth.http.app import error_response
from better_auth.http.asgi import AsgiApp, Message, Receive, Scope, Send
from better_auth.http.call import Call
from better_auth.models import Principal

try:
    from starlette.applications import Starlette
    from starlette.requests import HTTPConnection
    from starlette.responses import Response
    from starlette.routing import Match, Mount
    from starlette.websockets import WebSocket, WebSocketState
except ImportError:
    raise MissingExtra("better_auth.handlers.starlette", "starlette") from None

_VISIT = "better_auth"

_ENDED = "The session has ended"

_PATIENCE = 5.0
"""Seconds that telling a client so may take."""


class _Visit:
    """One request or WebSocket below the middleware; shared by every copy of its scope."""

    __slots__ = ("auth", "call", "known")

    def __init__(self, auth: BetterAuth[Any]) -> None:
        self.auth = auth
        self.known: Principal | None = None
        self.call: Call | None = None


class _CookieSend:
    """The ``send`` that those below are given: adds the cookies their session asks for.

    It knows the visit, and the visit does not know it: a server's ``send`` knows the scope, and
    a scope that knew ``send`` would keep every request in memory until garbage is collected.
    """

    __slots__ = ("send", "visit")

    def __init__(self, visit: _Visit, send: Send) -> None:
        self.visit = visit
        self.send = send

    def __call__(self, message: Message) -> Awaitable[None]:
        call = self.visit.call
        if (
            call is not None
            and call.cookies
            and message["type"] in ("http.response.start", "websocket.accept")
        ):
            cookies = call.wire.cookie_headers(call.cookies)
            message["headers"] = [*message.get("headers", ()), *cookies]
        return self.send(message)


def mount_auth(
    app: Starlette, auth: BetterAuth[Any], *, javascript_path: str | None = None
) -> None:
    """Serve ``auth``'s endpoints in ``app`` under their base path and bring sessions to its routes.

    ``javascript_path`` (``AuthConfig.javascript_path`` unless given) is where the official
    JavaScript client is served as well, over the same sessions.

    Starts and stops ``auth`` with the application, answers a missing session with the same 401
    as everywhere, and sees to it that a refreshed session's cookie reaches the client whatever
    kind of response a route returns.
    """
    mounts = [_AuthMount(auth.config.base_path or "/", auth, name="better_auth")]
    path = javascript_path or auth.config.javascript_path
    if path is not None:
        beside = auth.app(wire="javascript", base_path=path)
        mounts.append(_AuthMount(path, beside, name="better_auth javascript"))
    # Of two mounts the first that fits is asked: that must be the one below the other.
    mounts.sort(key=lambda mount: len(mount.path), reverse=True)
    app.router.routes.extend(mounts)
    app.add_middleware(SessionMiddleware, auth=auth)
    app.add_exception_handler(AuthError, answer_error)  # type: ignore[arg-type]
    lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def with_auth(running: Any) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(auth.lifespan())
            yield await stack.enter_async_context(lifespan(running))

    app.router.lifespan_context = with_auth


class _AuthMount(Mount):
    """A mount that sees at once that a request is for another route."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if self.path not in scope["path"]:
            return Match.NONE, {}
        return super().matches(scope)


class SessionMiddleware:
    """Makes ``auth`` known to the routes below and sends the cookies their sessions ask for."""

    def __init__(self, app: AsgiApp, auth: BetterAuth[Any]) -> None:
        self.app = app
        self.auth = auth

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hands on to the application below; no coroutine of its own, as it is passed each time."""
        if scope["type"] == "lifespan":
            return self.app(scope, receive, send)
        visit = scope[_VISIT] = _Visit(self.auth)
        return self.app(scope, receive, _CookieSend(visit, send))


def at_hand(connection: HTTPConnection) -> Principal | None:
    """The caller's session and user, where they are known without waiting.

    None says nothing: ask :func:`optional_session`. It spares what is asked at every request a
    coroutine. Raises ``ConfigurationError``.
    """
    visit: _Visit | None = connection.scope.get(_VISIT)
    if visit is None:
        raise ConfigurationError("mount_auth(app, auth) was not called for this application")
    if visit.known is None and visit.call is None:
        visit.known = visit.auth.at_hand(connection.scope)
    return visit.known


async def optional_session(connection: HTTPConnection) -> Principal | None:
    """The caller's session and user, or None for an anonymous caller.

    Resolved at most once a request, however often it is asked for.
    """
    return at_hand(connection) or await looked_up(connection)


async def looked_up(connection: HTTPConnection) -> Principal | None:
    """The same for who has asked :func:`at_hand` already, and was told nothing."""
    visit: _Visit = connection.scope[_VISIT]
    await visit.auth.ready()
    if visit.call is None:
        visit.call = visit.auth.call_from(connection.scope)
    return await visit.call.principal()


async def current_session(connection: HTTPConnection) -> Principal:
    """The caller's session and user. Raises ``Unauthorized``, answered with 401."""
    principal = await optional_session(connection)
    if principal is None:
        raise Unauthorized
    return principal


@asynccontextmanager
async def closing_on_revocation(socket: WebSocket, session: Principal) -> AsyncIterator[None]:
    """Close ``socket`` (1008) as soon as ``session`` is revoked, by whatever process, or expires.

    What waits to receive inside the block then sees the disconnection, as if the client had gone::

        async with closing_on_revocation(socket, session):
            async for text in socket.iter_text():
                await socket.send_text(text)
    """

    receive, waiting = socket.receive, asyncio.Future[Message]()
    has_ended = False

    async def receive_until_ended() -> Message:
        nonlocal waiting
        if not has_ended:
            waiting = asyncio.ensure_future(receive())
            try:
                return await waiting
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not has_ended or (task is not None and task.cancelling()):
                    raise
        return {"type": "websocket.disconnect", "code": 1008, "reason": _ENDED}

    async def close() -> None:
        nonlocal has_ended
        await session.revoked
        has_ended = True
        waiting.cancel()  # granian closes nothing that somebody waits to receive from
        await socket.close(1008, _ENDED)

    watching = asyncio.create_task(close())
    socket.receive = receive_until_ended  # type: ignore[method-assign]
    try:
        yield
    finally:
        if has_ended:
            await asyncio.wait({watching}, timeout=_PATIENCE)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def answer_error(connection: HTTPConnection, error: Exception) -> Response | None:
    """An ``AuthError`` as the response the endpoints give it, for Starlette to send.

    A WebSocket is refused with that same response where the server can and it is not accepted yet;
    else it is closed with 1008, and there is nothing left to send.
    """
    assert isinstance(error, AuthError)
    answer = error_response(error)
    response = Response(answer.body, answer.status)
    for name, value in answer.headers:
        response.headers[name.decode()] = value.decode()
    if isinstance(connection, WebSocket):
        is_open = connection.application_state is not WebSocketState.CONNECTING
        if is_open or "websocket.http.response" not in connection.scope.get("extensions", {}):
            await connection.close(1008, error.code)
            return None
    return response


__all__ = [
    "SessionMiddleware",
    "answer_error",
    "at_hand",
    "closing_on_revocation",
    "current_session",
    "looked_up",
    "mount_auth",
    "optional_session",
]
