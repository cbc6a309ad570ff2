"""FastAPI: the current session as a dependency, in HTTP routes and WebSockets.

    app = FastAPI()
    mount_auth(app, auth)

    @app.get("/me")
    async def me(session: CurrentSession) -> dict[str, str]:
        return {"user_id": session.user.id}

An application with its own ``User`` says so once::

    Me = Annotated[Principal[MyUser], Depends(current_session)]
"""

from typing import Annotated, Any

from better_auth.auth import BetterAuth
from better_auth.errors import MissingExtra, Unauthorized
from better_auth.http.openapi import security_schemes
from better_auth.models import Principal

try:
    from fastapi import Depends, FastAPI
    from fastapi.openapi.models import HTTPBearer
    from fastapi.security.base import SecurityBase
    from starlette.requests import HTTPConnection
except ImportError:
    raise MissingExtra("better_auth.handlers", "fastapi") from None

from better_auth.handlers import starlette
from better_auth.handlers.starlette import closing_on_revocation

_REQUIRED = "better_auth session"
_OPTIONAL = "better_auth optional session"


class _CurrentSession(SecurityBase):
    """A security scheme to FastAPI, so that its OpenAPI marks every route that depends on it."""

    model = HTTPBearer()
    scheme_name = _REQUIRED

    async def __call__(self, connection: HTTPConnection) -> Principal:
        # What is known without waiting needs no coroutine of its own: this runs for every request.
        principal = starlette.at_hand(connection) or await starlette.looked_up(connection)
        if principal is None:
            raise Unauthorized
        return principal


class _OptionalSession(SecurityBase):
    model = HTTPBearer()
    scheme_name = _OPTIONAL

    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        return starlette.at_hand(connection) or await starlette.looked_up(connection)


current_session = _CurrentSession()
"""The dependency behind :data:`CurrentSession`, for ``Depends`` with a type of your own."""

optional_session = _OptionalSession()
"""The dependency behind :data:`OptionalSession`."""

CurrentSession = Annotated[Principal, Depends(current_session)]
"""A parameter of this type is the caller's session and user; without one the answer is 401."""

OptionalSession = Annotated[Principal | None, Depends(optional_session)]
"""The same for routes that serve anonymous callers too: None for those."""


def mount_auth(app: FastAPI, auth: BetterAuth[Any], *, javascript_path: str | None = None) -> None:
    """Serve ``auth`` in ``app``; see :func:`better_auth.handlers.starlette.mount_auth`.

    The application's OpenAPI shows, for every route with a session, both ways to present one.
    """
    starlette.mount_auth(app, auth, javascript_path=javascript_path)
    schemes = security_schemes(auth.context.wire.session_cookie_name)
    plain_openapi = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain_openapi()
        _show_both_ways(document, schemes)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _show_both_ways(document: dict[str, Any], schemes: dict[str, Any]) -> None:
    """Put Bearer and cookie where FastAPI's document names one of our dependencies."""
    listed = document.get("components", {}).get("securitySchemes", {})
    if not {_REQUIRED, _OPTIONAL} & listed.keys():
        return
    for name in (_REQUIRED, _OPTIONAL):
        listed.pop(name, None)
    listed.update(schemes)
    ways: list[dict[str, Any]] = [{name: []} for name in schemes]
    for operations in document["paths"].values():
        for operation in operations.values():
            if not isinstance(operation, dict):  # what an application says of the whole path
                continue
            security = operation.get("security", [])
            others = [way for way in security if not {_REQUIRED, _OPTIONAL} & way.keys()]
            if {_REQUIRED: []} in security:
                operation["security"] = others + ways
                operation["responses"].setdefault(
                    "401", {"description": "The session is missing, invalid or expired"}
                )
            elif {_OPTIONAL: []} in security:
                operation["security"] = [*others, *ways, {}]


__all__ = [
    "CurrentSession",
    "OptionalSession",
    "closing_on_revocation",
    "current_session",
    "mount_auth",
    "optional_session",
]
