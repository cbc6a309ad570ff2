"""The contract of the session page: the look everything has unless another is asked for."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from better_auth.clock import Clock
from better_auth.config import SessionConfig
from better_auth.errors import AuthError
from better_auth.http.cookies import LONGEST_LIFE, SetCookie
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import AuthRequest, Header, Headers
from better_auth.http.wire.base import Credential
from better_auth.http.wire.json import render_json
from better_auth.models import Session

_LONG_AGO = datetime.fromtimestamp(0, UTC)


class NativeWire:
    """The look of the session page: Bearer or ``better-auth.session-token``, plain JSON."""

    def __init__(self, config: SessionConfig, clock: Clock) -> None:
        self.session_cookie_name = config.cookie_name
        self._config = config
        self._clock = clock
        match = re.match(r"__(Host|Secure)-", config.cookie_name)
        self._prefix = match.group() if match else ""

    def credential(self, request: Headers) -> Credential | None:
        """Bearer wins, and a wrong Bearer does not fall back to the cookie.

        Another scheme (Basic, for a proxy in front) is not ours to judge: the cookie counts then.
        """
        authorization = request.header(b"authorization")
        if authorization is not None:
            scheme, _, token = authorization.strip().partition(" ")
            if scheme.lower() == "bearer":
                return Credential(token.strip(), "bearer")
        token = request.cookie(self._config.cookie_name) or ""
        return Credential(token, "cookie") if token else None

    def session_cookie(self, session: Session) -> SetCookie:
        if not session.remember:
            return self._cookie(session.token)
        now = self._clock()
        left = min(session.expires_at - now, LONGEST_LIFE)
        return self._cookie(
            session.token, max_age=max(1, round(left.total_seconds())), expires=now + left
        )

    def cleared_session_cookie(self) -> SetCookie:
        return self._cookie("", max_age=0, expires=_LONG_AGO)

    def plugin_cookie(
        self, name: str, value: str = "", lifetime: timedelta | None = timedelta(0)
    ) -> SetCookie:
        if lifetime is None:
            cookie = self._cookie(value)
        else:
            expires = self._clock() + lifetime if value else _LONG_AGO
            max_age = round(lifetime.total_seconds())
            cookie = self._cookie(value, max_age=max_age, expires=expires)
        return replace(cookie, name=self._plugin_cookie_name(name), http_only=True)

    def plugin_value(self, request: AuthRequest, name: str) -> str | None:
        return request.cookie(self._plugin_cookie_name(name))

    def _plugin_cookie_name(self, name: str) -> str:
        return f"{self._prefix}{self._config.cookie_prefix}.{name}"

    def cookie_headers(self, cookies: Iterable[SetCookie]) -> list[Header]:
        return [(b"set-cookie", cookie.render().encode("latin-1")) for cookie in cookies]

    def dress(self, endpoint: Endpoint) -> Endpoint:
        return endpoint

    def error(self, error: AuthError, path: str) -> AuthError:
        return error

    def _cookie(
        self, value: str, *, max_age: int | None = None, expires: datetime | None = None
    ) -> SetCookie:
        name = self.session_cookie_name
        return SetCookie.as_configured(self._config, name, value, max_age=max_age, expires=expires)

    def render(self, result: object) -> bytes:
        return render_json(result).encode()
