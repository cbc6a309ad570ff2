"""Tying what a browser begins to that browser, so that nobody else's can be made to finish it."""

import secrets
from dataclasses import replace
from datetime import timedelta

from better_auth.config import SameSite
from better_auth.http.call import Call, Context

_LENGTH = 43
"""Characters of 32 random bytes in base64url."""


class BrowserBinding:
    """A cookie with a random value, whose fingerprint is kept with what is under way."""

    def __init__(self, context: Context, cookie: str, purpose: str, lifetime: timedelta) -> None:
        """``purpose`` is the fingerprint's, ``lifetime`` the cookie's."""
        self._keyring = context.keyring
        self._cookie = cookie
        self._purpose = purpose
        self._lifetime = lifetime

    def bind(self, call: Call) -> str:
        """Give the calling browser its cookie; the fingerprint to keep.

        One that it has already goes on, so that two tabs can be under way at once.
        """
        browser = call.cookie(self._cookie) or ""
        if len(browser) != _LENGTH or not browser.isascii():
            browser = secrets.token_urlsafe(32)
        cookie = call.wire.plugin_cookie(self._cookie, browser, self._lifetime)
        if cookie.same_site is SameSite.STRICT:
            # The way back begins at another site (a provider, a mailbox), which Strict holds back.
            cookie = replace(cookie, same_site=SameSite.LAX)
        call.set_cookie(cookie)
        return self._keyring.fingerprint(self._purpose, browser)

    def is_bound(self, call: Call, key: str) -> bool:
        """Whether ``key`` is the fingerprint of the calling browser's cookie."""
        browser = call.cookie(self._cookie) or ""
        return self._keyring.is_fingerprint(self._purpose, browser, key)
