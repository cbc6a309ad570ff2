"""How requests carry a session and answers look outside.

Endpoints take a credential and return domain results; which cookie, which header and which JSON
that is, only this package knows, a module a look.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol

from better_auth.errors import AuthError
from better_auth.http.cookies import SetCookie
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import AuthRequest, Header, Headers
from better_auth.models import Session


@dataclass(slots=True)
class Credential:
    """A session token as a request presented it, and by which way.

    Not frozen, which would take longer to make than to find; one is made for every request.
    """

    token: str = field(repr=False)
    source: Literal["bearer", "cookie"]


class Wire(Protocol):
    """One outside look of the library."""

    session_cookie_name: str

    def credential(self, request: Headers) -> Credential | None:
        """What the request presents to be recognised by."""
        ...

    def session_cookie(self, session: Session) -> SetCookie:
        """The cookie that hands ``session`` to a browser."""
        ...

    def cleared_session_cookie(self) -> SetCookie:
        """The cookie that takes it back, with the same attributes."""
        ...

    def plugin_cookie(
        self, name: str, value: str = "", lifetime: timedelta | None = timedelta(0)
    ) -> SetCookie:
        """A plugin's cookie ``name``; without a ``value``, the one that takes it back.

        Without a ``lifetime`` it ends with the browser session.
        """
        ...

    def plugin_value(self, request: AuthRequest, name: str) -> str | None:
        """The value of the plugin's cookie ``name`` that came; None where it is not ours."""
        ...

    def cookie_headers(self, cookies: Iterable[SetCookie]) -> list[Header]:
        """The lines of an answer that carry ``cookies``."""
        ...

    def dress(self, endpoint: Endpoint) -> Endpoint:
        """``endpoint`` as it is served to this side: what it answers may look differently."""
        ...

    def error(self, error: AuthError, path: str) -> AuthError:
        """``error``, raised by the endpoint at ``path``, as this side knows it."""
        ...

    def render(self, result: object) -> bytes:
        """An endpoint's result as a JSON body."""
        ...
