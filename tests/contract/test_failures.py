"""What is not known because something failed is neither told, remembered nor acted upon."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from better_auth import AuthConfig, BetterAuth, ConfigurationError, RateLimitConfig
from better_auth.adapters import SqlDatabaseAdapter
from better_auth.errors import AuthError, DatabaseUnavailable
from better_auth.http.cookies import SetCookie
from better_auth.http.wire import Credential
from better_auth.models import Fields
from better_auth.plugins import Call, Plugin, get
from better_auth.plugins.email_password import SignInEmail, SignUpEmail
from better_auth.plugins.two_factor.messages import Code, WithPassword
from tests.conftest import Site
from tests.support import PASSWORD, SECRET, bearer, make_auth

DATABASES = ["sqlite"]
"""These tests look into the file, or spoil it."""


def on_file(site_with: Callable[..., Site], directory: Path) -> tuple[Site, sqlite3.Connection]:
    """A site on a file, and another program with that file open."""
    path = directory / "test.db"
    site = site_with(database=f"sqlite:///{path}")
    return site, sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)


def test_a_failed_statement_is_logged_without_its_parameters(
    site_with: Callable[..., Site], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither fingerprints nor sealed tokens reach the log, whatever the database says."""
    caplog.set_level(logging.DEBUG, "better_auth")
    site, other = on_file(site_with, tmp_path)
    user = site.user()
    other.execute("CREATE TRIGGER t BEFORE INSERT ON session BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception) as caught:
        site.session(user)
    text = caplog.text + repr(caught.value.__cause__) + str(caught.value.__cause__)
    assert user.id not in text
    assert "parameters: (" not in text


def test_a_broken_file_is_503(site_with: Callable[..., Site], tmp_path: Path) -> None:
    """A database that is none any longer is the database failing, not the request."""
    site, _ = on_file(site_with, tmp_path)
    token = site.session(site.user()).token
    for name in ("test.db", "test.db-wal"):
        (tmp_path / name).write_bytes(b"\xff" * 8192)
    answer = site.client().get("/list-sessions", headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")


def test_signing_out_in_vain_keeps_the_cookie(
    site_with: Callable[..., Site], tmp_path: Path
) -> None:
    """Who could not be signed out is still holding what signs them out."""
    site, other = on_file(site_with, tmp_path)
    browser = site.browser()
    browser.sign_up()
    other.execute("ALTER TABLE user RENAME TO gone")
    refused = browser.post("/sign-out")
    assert refused.status_code == 503
    assert "set-cookie" not in refused.headers
    other.execute("ALTER TABLE gone RENAME TO user")
    assert browser.post("/sign-out").status_code == 200


def test_a_refresh_that_cannot_be_written_waits(site: Site) -> None:
    """A live session is served although its end cannot be moved now."""
    site.session(site.user())
    token = site.session(site.user("bob@example.com")).token
    site.clock.move(days=2)
    update = SqlDatabaseAdapter.update

    async def busy(*_: object, **__: object) -> int:
        raise DatabaseUnavailable

    SqlDatabaseAdapter.update = busy  # type: ignore[assignment, method-assign]
    try:
        answer = site.client().get("/get-session", headers=bearer(token))
    finally:
        SqlDatabaseAdapter.update = update  # type: ignore[method-assign]
    assert answer.status_code == 200
    assert answer.json()["session"]["expiresAt"] == "2024-01-08T00:00:00.000Z"
    later = site.client().get("/get-session", headers=bearer(token)).json()["session"]
    assert later["expiresAt"] == "2024-01-10T00:00:00.000Z"


def test_a_lazy_start_that_fails_is_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first request is told 503 as everywhere, and the next tries again; the log says why, and
    shows no traceback for what is known."""
    auth = make_auth(database=f"sqlite:///{tmp_path}/missing/test.db")
    (tmp_path / "missing").write_text("in the way")

    async def work() -> None:
        transport = httpx.ASGITransport(auth)
        async with httpx.AsyncClient(transport=transport, base_url="http://x/auth") as client:
            refused = await client.get("/ok")
            assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert "starting failed: The database cannot be reached" in caplog.text
            assert "Traceback" not in caplog.text
            (tmp_path / "missing").unlink()
            assert (await client.get("/ok")).status_code == 200
        await auth.stop()

    asyncio.run(work())


def test_a_failed_look_up_is_not_nobody(site_with: Callable[..., Site], tmp_path: Path) -> None:
    """A call that could not find out who is there asks again."""
    site, other = on_file(site_with, tmp_path)
    token = site.session(site.user()).token

    async def work() -> None:
        call = site.auth.call(token=token)
        other.execute("ALTER TABLE session RENAME TO gone")
        for _ in range(2):
            with pytest.raises(AuthError):
                await call.principal()
        other.execute("ALTER TABLE gone RENAME TO session")
        assert await call.principal() is not None

    site.run(work())


def test_no_password_in_what_is_printed() -> None:
    """Settings and bodies with a password in them do not show it."""
    config = AuthConfig(
        SECRET,
        database_url="postgresql://u:hidden@host/d",
        rate_limit=RateLimitConfig(storage="redis://:hidden@host/0"),
    )
    shown = [
        config,
        SignInEmail(email="ada@example.com", password="hidden"),
        SignUpEmail(name="Ada", email="ada@example.com", password="hidden"),
        WithPassword(password="hidden"),
        Code(code="hidden"),
        Credential("hidden", "bearer"),
        SetCookie("name", "hidden"),
    ]
    for thing in shown:
        assert "hidden" not in repr(thing)
        assert "hidden" not in str(thing)
    wrong = RateLimitConfig(storage="redis+nope://:hidden@host/0")
    with pytest.raises(ConfigurationError) as caught:
        BetterAuth(AuthConfig(SECRET, rate_limit=wrong), database="sqlite://")
    assert "hidden" not in str(caught.value)
    assert "rate_limit.storage" in str(caught.value)
    with pytest.raises(ConfigurationError):
        BetterAuth(AuthConfig(SECRET), database="no url")
    with pytest.raises(ValueError, match="contradicts") as refused:
        AuthConfig("hidden" * 6, secrets=["hidden" * 7])
    assert "hidden" not in str(refused.value)


def test_a_cookie_has_one_end(site_with: Callable[..., Site]) -> None:
    """``Max-Age`` and ``Expires`` agree, at most 400 days from now."""
    site = site_with(session={"expires_in": timedelta(days=500)})
    line = site.browser().sign_up(password=PASSWORD).headers["set-cookie"]
    assert f"Max-Age={400 * 86400}" in line
    expires = line.partition("Expires=")[2].partition(";")[0]
    assert parsedate_to_datetime(expires) == site.clock() + timedelta(days=400)


class Breaking(Plugin):
    """Fails where a link with a token in its path leads."""

    @get("/links/{token}")
    async def follow(self, call: Call) -> Fields:
        raise RuntimeError("nobody foresaw this")


def test_a_failure_is_logged_without_the_token_in_its_path(
    site_with: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    """ "Structured logs without secrets": which endpoint failed is told, not how it was asked."""
    site = site_with(plugins=[Breaking()])
    answer = site.client().get("/links/a-secret-token?next=a-secret-too")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "GET /links/{token} failed" in caplog.text
    assert "a-secret" not in caplog.text
