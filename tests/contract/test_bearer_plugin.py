"""``BearerPlugin``: what a Bearer token must be on the JavaScript wire."""

from collections.abc import Callable
from typing import Any

import pytest

from better_auth import ConfigurationError
from better_auth.plugins import BearerPlugin, EmailPasswordPlugin, SessionManagementPlugin
from tests.conftest import Site
from tests.support import bearer, make_auth

DATABASES = ["sqlite"]
"""No database has a say in this."""


def plugins(**options: Any) -> list[Any]:
    """Passwords, sessions and Bearer with ``options``."""
    return [EmailPasswordPlugin(), SessionManagementPlugin(), BearerPlugin(**options)]


@pytest.mark.parametrize("require", [False, True])
def test_raw_and_signed(site_with: Callable[..., Site], require: bool) -> None:
    """ "the raw session token is accepted ... unless requireSignature": the signed one always."""
    site = site_with(wire="javascript", plugins=plugins(require_signature=require))
    answer = site.browser().sign_up()
    signed, raw = answer.headers["set-auth-token"], answer.json()["token"]
    assert signed.startswith(raw + ".")
    client = site.client()

    def who(token: str) -> str | None:
        body = client.get("/get-session", headers=bearer(token)).json()
        return body and body["user"]["email"]

    assert who(signed) == "ada@example.com"
    assert who(raw) == (None if require else "ada@example.com")
    first = signed[len(raw) + 1]
    forged = f"{raw}.{'A' if first != 'A' else 'B'}{signed[len(raw) + 2 :]}"
    assert who(forged) is None


def test_a_raw_one_leaves_the_cookie_be(site_with: Callable[..., Site]) -> None:
    """ "failure -> request continues unchanged, so a valid cookie still works"."""
    site = site_with(wire="javascript", plugins=plugins(require_signature=True))
    browser = site.browser()
    raw = browser.sign_up().json()["token"]
    assert browser.get("/get-session", headers=bearer(raw)).json()["user"]["name"] == "Ada"


def test_only_where_tokens_are_signed() -> None:
    """On the native wire nothing signs: asking for it is refused when the application is built."""
    with pytest.raises(ConfigurationError, match="BearerPlugin"):
        make_auth(plugins=[BearerPlugin(require_signature=True)])
    make_auth(plugins=[BearerPlugin()])
    make_auth(plugins=[BearerPlugin(require_signature=True)], javascript_path="/api/auth")
