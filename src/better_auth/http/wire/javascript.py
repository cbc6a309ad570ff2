"""What the official better-auth JavaScript client expects of its server.

The session's cookie is signed as that server signs it, so that one written there opens here and
the other way round. Cookies of plugins are ours alone: their signature covers their name too, so
that none passes for another.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote, unquote

from better_auth.clock import Clock
from better_auth.config import SessionConfig
from better_auth.crypto import CookieSigner, Keyring, Purpose
from better_auth.errors import AuthError
from better_auth.http.cookies import LONGEST_LIFE, SetCookie
from better_auth.http.endpoints import Endpoint
from better_auth.http.messages import AuthRequest, Header, Headers
from better_auth.http.wire.base import Credential
from better_auth.http.wire.javascript_answers import dressed, error_as_known
from better_auth.http.wire.json import render_json
from better_auth.models import Session

_NOT_ESCAPED = "!~*'()"
"""What ``encodeURIComponent`` leaves alone and ``quote`` would not."""


class JavascriptWire:
    """The look of better-auth's own server: signed cookies, bare results, its error codes."""

    def __init__(
        self, config: SessionConfig, clock: Clock, keyring: Keyring, signer: CookieSigner
    ) -> None:
        self._config = config
        self._clock = clock
        self._keyring = keyring
        self._signer = signer
        self._prefix = "__Secure-" if config.cookie_secure else ""
        self.session_cookie_name = self._cookie_name("session_token")

    def _cookie_name(self, name: str) -> str:
        return f"{self._prefix}{self._config.cookie_prefix}.{name.replace('-', '_')}"

    def credential(self, request: Headers) -> Credential | None:
        """Bearer, raw or signed as the cookie is, wins; a Bearer whose signature is not ours
        counts as none."""
        authorization = request.header(b"authorization")
        if authorization is not None:
            scheme, _, text = authorization.strip().partition(" ")
            text = text.strip()
            if scheme.lower() == "bearer" and text:
                is_signed = "." in text
                token = self._signer.opened(unquote(text)) if is_signed else text
                if token is not None and (is_signed or not self._config.require_signed_bearer):
                    return Credential(token, "bearer")
        signed = request.cookie(self.session_cookie_name)
        token = self._signer.opened(unquote(signed)) if signed else None
        return Credential(token, "cookie") if token else None

    def session_cookie(self, session: Session) -> SetCookie:
        max_age = None
        if session.remember:
            left = min(session.expires_at - self._clock(), LONGEST_LIFE)
            max_age = max(1, round(left.total_seconds()))
        signed = quote(self._signer.signed(session.token), safe=_NOT_ESCAPED)
        return SetCookie.as_configured(
            self._config, self.session_cookie_name, signed, max_age=max_age
        )

    def cleared_session_cookie(self) -> SetCookie:
        return SetCookie.as_configured(self._config, self.session_cookie_name, "", max_age=0)

    def plugin_cookie(
        self, name: str, value: str = "", lifetime: timedelta | None = timedelta(0)
    ) -> SetCookie:
        if value:
            signature = self._keyring.fingerprint(Purpose.COOKIE, f"{name}={value}")
            value = quote(f"{value}.{signature}", safe=_NOT_ESCAPED)
        max_age = None if lifetime is None else round(lifetime.total_seconds())
        cookie = SetCookie.as_configured(
            self._config, self._cookie_name(name), value, max_age=max_age
        )
        return replace(cookie, http_only=True)  # whatever is decided of the session's: no script's

    def plugin_value(self, request: AuthRequest, name: str) -> str | None:
        signed = unquote(request.cookie(self._cookie_name(name)) or "")
        value, _, signature = signed.rpartition(".")
        is_ours = value and self._keyring.is_fingerprint(
            Purpose.COOKIE, f"{name}={value}", signature
        )
        return value if is_ours else None

    def cookie_headers(self, cookies: Iterable[SetCookie]) -> list[Header]:
        """Where one of them is the session's, clients that send Bearer find it in a header, too."""
        headers: list[Header] = []
        for cookie in cookies:
            headers.append((b"set-cookie", cookie.render().encode("latin-1")))
            if cookie.name == self.session_cookie_name and cookie.value:
                headers.append((b"set-auth-token", unquote(cookie.value).encode("latin-1")))
                headers.append((b"access-control-expose-headers", b"set-auth-token"))
        return headers

    def dress(self, endpoint: Endpoint) -> Endpoint:
        return dressed(endpoint, defer_refresh=self._config.defer_refresh)

    def error(self, error: AuthError, path: str) -> AuthError:
        return error_as_known(error, path)

    def render(self, result: object) -> bytes:
        return render_json(result).encode()
