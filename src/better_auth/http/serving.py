"""An ASGI app that starts what it serves: by the server's lifespan, or at the first request."""

import logging
from typing import Protocol

from better_auth.config import AuthConfig
from better_auth.errors import AuthError, ConfigurationError, MissingExtra
from better_auth.http.app import error_response, unforeseen
from better_auth.http.asgi import AsgiApp, Receive, Scope, Send, send_response
from better_auth.http.origins import origins_pattern

logger = logging.getLogger("better_auth")

LIVENESS = "/health/live"
"""The one path that is answered before the application has started."""


class Startable(Protocol):
    """What has to be started before it is asked."""

    @property
    def is_ready(self) -> bool:
        """Whether it has been."""
        ...

    async def start(self) -> None:
        """Start; twice does no harm."""
        ...

    async def stop(self) -> None:
        """Stop what was started."""
        ...


class Served:
    """``app``, with ``owner`` started before it is asked anything."""

    def __init__(self, owner: Startable, app: AsgiApp) -> None:
        self._owner = owner
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._owner.is_ready or await self._started_lazily(scope["path"], send):
                await self._app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _started_lazily(self, path: str, send: Send) -> bool:
        """Start at the first request; where that fails, the request is answered so.

        Whether the process is alive is answered without: a database that is down is no reason to
        restart it.
        """
        if path.endswith(LIVENESS):
            return True
        try:
            await self._owner.start()
        except Exception as error:
            is_foreseen = isinstance(error, (AuthError, ConfigurationError))
            logger.error("starting failed: %s", error, exc_info=not is_foreseen)
            known = error if isinstance(error, AuthError) else unforeseen()
            await send_response(error_response(known), send)
        return self._owner.is_ready

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._owner.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._owner.stop()
        await send({"type": "lifespan.shutdown.complete"})


def with_cors(app: AsgiApp, config: AuthConfig) -> AsgiApp:
    """``app`` behind Starlette's CORS middleware, where ``config`` wants it.

    Raises ``MissingExtra``.
    """
    cors = config.cors
    if not cors.enabled:
        return app
    try:
        from starlette.middleware.cors import CORSMiddleware  # an optional extra
    except ImportError:
        raise MissingExtra("cors.enabled", "starlette") from None
    return CORSMiddleware(
        app,
        allow_origin_regex=origins_pattern(cors.allow_origins or config.trusted_origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["set-auth-token", "Retry-After", "X-Retry-After"],
        allow_credentials=True,
        max_age=int(cors.max_age.total_seconds()),
    )
