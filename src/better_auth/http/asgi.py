"""The application as an ASGI app: bytes in, bytes out."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from better_auth.errors import AuthError, NotFound, PayloadTooLarge
from better_auth.http.app import JSON, AuthApp, internal_error
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import AuthRequest, AuthResponse, Finish

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_TIMEOUT = 30.0
"""Seconds a client may take to send a body."""

DRAINED = 16
"""A body this many times too large is still read (and thrown away), so that the client, busy
sending, sees the 413; beyond that the connection is simply closed on it."""


class ClientGone(Exception):
    """The client hung up while its body was awaited; nobody is left to answer."""


class RequestTimeout(AuthError):
    """408: the body did not arrive in time."""

    def __init__(self) -> None:
        super().__init__(408, "REQUEST_TIMEOUT", "The body did not arrive in time")


class AsgiHandler:
    """Serves an :class:`AuthApp` under a base path."""

    def __init__(
        self,
        app: AuthApp,
        base_path: str,
        max_body_size: int,
        beside: "AsgiHandler | None" = None,
    ) -> None:
        """``beside`` answers what is below its own base path."""
        self._app = app
        self._beside = beside
        self._observers = app.observers
        self._base = base_path
        self._max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, path = None, scope["path"]
        if scope["method"] == "GET" and path.startswith(self._base):
            try:
                body = self._app.at_hand(path[len(self._base) :], scope["headers"])
            except Exception:
                body = None  # whatever it is, it happens again on the whole way, and is answered so
        if body is None:
            return await self._answer(scope, receive, send)
        headers = [*JSON, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_from(scope)
        response: AuthResponse | None = None
        watching: list[Finish] | None = None
        endpoint: Endpoint | None = None
        try:
            path = self._relative(scope)
            if path is None:
                if self._beside is not None:
                    return await self._beside(scope, receive, send)
                raise NotFound
            request.path, request.base_path = path, self._base
            endpoint = self._app.route(request)
            if self._observers:
                watching = [observe(request, endpoint) for observe in self._observers]
            if not self._app.admits(request):
                await self._app.admit(request, endpoint)
            if request.method == "POST":
                request.body = await self._read_body(receive)
            response = await self._app.answer(request, endpoint)
        except AuthError as error:
            response = self._app.refusal(error, request)
        except ClientGone:
            return
        except Exception:
            response = internal_error(endpoint)
        finally:
            if watching is not None:
                for finish in reversed(watching):
                    finish(response)
        await send_response(response, send)

    def _relative(self, scope: Scope) -> str | None:
        """The path below the base path, whether the server, a router or nobody stripped it.

        A framework that mounts an application leaves the mount in ``path`` and names it in
        ``root_path``. None for what is not below the base path, or is rather below the other's.
        """
        path: str = scope["path"]
        beside = self._beside
        # The longer path is meant; and /api/auth ends like /auth, which a root path may be.
        if (
            beside is not None
            and beside.serves(path)
            and (len(beside._base) > len(self._base) or not self.serves(path))
        ):
            return None
        root: str = scope.get("root_path", "")
        if root and path.startswith(root):
            inner = path[len(root) :]
            if inner.startswith(self._base + "/"):
                return inner[len(self._base) :]
            if root.endswith(self._base):
                return inner
        return path[len(self._base) :] if self.serves(path) else None

    def serves(self, path: str) -> bool:
        """Whether ``path`` is below the base path."""
        return path.startswith(self._base + "/")

    async def _read_body(self, receive: Receive) -> bytes:
        limit = self._max_body_size
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    chunk: bytes = message.get("body", b"")
                    size += len(chunk)
                    if size <= limit:
                        chunks.append(chunk)
                    elif size > limit * DRAINED:
                        raise PayloadTooLarge(limit)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise RequestTimeout from None
        if size > limit:
            raise PayloadTooLarge(limit)
        return b"".join(chunks)


def request_from(scope: Scope) -> AuthRequest:
    """The request an ASGI scope (HTTP or WebSocket) describes; its path is the scope's."""
    get = scope.get
    return AuthRequest(
        get("method", "GET"),
        scope["path"],
        scope["headers"],
        get("query_string", b""),
        b"",
        get("client"),
        get("scheme", "http"),
    )


async def send_response(response: AuthResponse, send: Send) -> None:
    """Send ``response`` to an ASGI server."""
    response.headers.append((b"content-length", str(len(response.body)).encode()))
    await send(
        {"type": "http.response.start", "status": response.status, "headers": response.headers}
    )
    await send({"type": "http.response.body", "body": response.body})
