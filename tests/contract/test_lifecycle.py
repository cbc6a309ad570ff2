"""A session's life: creation, refresh, expiry, limits; and the cookie that goes with it."""

from collections.abc import Callable
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest

from better_auth import AuthConfig, ConfigurationError, SameSite
from better_auth.events import SessionUpdated
from tests.conftest import Site
from tests.support import COOKIE, SECRET, bearer, make_auth

MakeSite = Callable[..., Site]


def morsel(answer: Any, name: str = COOKIE) -> Any:
    """The answer's one Set-Cookie of this name."""
    (line,) = answer.headers.get_list("set-cookie")
    return SimpleCookie(line)[name]


def test_created_by_sign_up_and_sign_in(site: Site) -> None:
    """ "A session is created on successful sign-up, sign-in, or 2FA verification"."""
    for answer in (site.browser().sign_up(), site.browser().sign_in()):
        token = answer.json()["token"]
        assert morsel(answer).value == token
        assert site.client().get("/get-session", headers=bearer(token)).status_code == 200


def test_cookie_attributes(site: Site) -> None:
    """ "session.cookie_http_only true, session.cookie_same_site Lax", Max-Age and Expires."""
    cookie = morsel(site.browser().sign_up())
    assert cookie["max-age"] == "604800"
    assert cookie["expires"] == "Mon, 08 Jan 2024 00:00:00 GMT"
    assert cookie["path"] == "/"
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert cookie["domain"] == ""
    assert not cookie["secure"]


def test_cookie_secure_by_default() -> None:
    """ "session.cookie_secure true: HTTPS-only cookie"."""
    config = AuthConfig(SECRET)
    assert config.session.cookie_secure is True
    assert config.session.cookie_http_only is True
    assert config.session.cookie_same_site is SameSite.LAX
    assert config.session.cookie_name == "better-auth.session-token"
    assert config.session.expires_in == timedelta(days=7)


def test_cleared_with_the_same_attributes(site_with: MakeSite) -> None:
    """The cookie is cleared with the attributes it was set with."""
    site = site_with(
        session={
            "cookie_path": "/auth",
            "cookie_domain": "127.0.0.1",
            "cookie_same_site": "strict",
        }
    )
    answer = site.browser().sign_up()
    made = morsel(answer)
    headers = bearer(answer.json()["token"])
    gone = morsel(site.client().post("/sign-out", headers=headers))
    for name in ("path", "domain", "secure", "httponly", "samesite"):
        assert made[name] == gone[name]
    assert (made["path"], made["samesite"]) == ("/auth", "Strict")
    assert (gone.value, gone["max-age"]) == ("", "0")


def test_same_site_none_needs_secure() -> None:
    """SameSite None without Secure is refused at build, by name."""
    with pytest.raises(ConfigurationError, match="cookie_same_site"):
        make_auth(session={"cookie_same_site": "none", "cookie_secure": False})


def test_expires(site: Site) -> None:
    """ "Sessions automatically expire after the configured duration"."""
    token = site.session(site.user(), remember=False).token
    ask = site.client().get
    site.clock.move(days=1, milliseconds=-1)
    assert ask("/get-session", headers=bearer(token)).status_code == 200
    site.clock.move(milliseconds=1)
    assert ask("/get-session", headers=bearer(token)).status_code == 401


def test_refresh_at_most_once_per_age(site: Site) -> None:
    """Sliding expiry is written at most once per update_age, and the cookie re-sent then."""
    writes: list[SessionUpdated] = []
    site.auth.on(SessionUpdated)(writes.append)
    browser = site.browser()
    browser.sign_up()
    site.clock.move(hours=23)
    assert "set-cookie" not in browser.get("/get-session").headers
    site.clock.move(hours=1)
    answer = browser.get("/get-session")
    assert morsel(answer)["max-age"] == "604800"
    assert answer.json()["session"]["expiresAt"] == "2024-01-09T00:00:00.000Z"
    assert "set-cookie" not in browser.get("/get-session").headers
    assert len(writes) == 1
    site.clock.move(days=7, milliseconds=-1)
    assert browser.get("/get-session").status_code == 200


def test_refresh_by_bearer_sends_no_cookie(site: Site) -> None:
    """Who came with a Bearer token is not handed a cookie."""
    token = site.session(site.user()).token
    site.clock.move(days=2)
    answer = site.client().get("/get-session", headers=bearer(token))
    assert answer.json()["session"]["expiresAt"] == "2024-01-10T00:00:00.000Z"
    assert "set-cookie" not in answer.headers


def test_disable_refresh(site_with: MakeSite) -> None:
    """disable_refresh: never extended."""
    site = site_with(session={"disable_refresh": True})
    token = site.session(site.user()).token
    site.clock.move(days=6)
    body = site.client().get("/get-session", headers=bearer(token)).json()
    assert body["session"]["expiresAt"] == "2024-01-08T00:00:00.000Z"


def test_max_lifetime(site_with: MakeSite) -> None:
    """max_lifetime: an absolute end that no refresh exceeds."""
    site = site_with(session={"max_lifetime": timedelta(days=9)})
    token = site.session(site.user()).token
    ask = site.client().get
    site.clock.move(days=6)
    body = ask("/get-session", headers=bearer(token)).json()
    assert body["session"]["expiresAt"] == "2024-01-10T00:00:00.000Z"
    site.clock.move(days=3, milliseconds=-1)
    assert ask("/get-session", headers=bearer(token)).status_code == 200
    site.clock.move(milliseconds=1)
    assert ask("/get-session", headers=bearer(token)).status_code == 401


def test_remember_me_false(site: Site) -> None:
    """rememberMe false: a browser-session cookie, one day on the server, not slid."""
    browser = site.browser()
    answer = browser.sign_up(rememberMe=False)
    cookie = morsel(answer)
    assert (cookie["max-age"], cookie["expires"]) == ("", "")
    site.clock.move(hours=23)
    refreshed = browser.get("/get-session")
    assert refreshed.json()["session"]["expiresAt"] == "2024-01-02T00:00:00.000Z"
    assert "set-cookie" not in refreshed.headers
    headers = bearer(answer.json()["token"])
    assert site.client().get("/get-session", headers=headers).status_code == 200
    site.clock.move(hours=1)
    assert site.client().get("/get-session", headers=headers).status_code == 401


def test_evict_oldest(site_with: MakeSite) -> None:
    """max_sessions_per_user with policy evict-oldest ends the oldest."""
    site = site_with(session={"max_sessions_per_user": 2})
    user = site.user()
    sessions = []
    for _ in range(3):
        sessions.append(site.session(user))
        site.clock.move(minutes=1)
    ask = site.client().get
    answers = [ask("/get-session", headers=bearer(s.token)).status_code for s in sessions]
    assert answers == [401, 200, 200]


def test_refuse_more_sessions(site_with: MakeSite) -> None:
    """max_sessions_per_user with policy refuse refuses the new one; expired ones don't count."""
    site = site_with(session={"max_sessions_per_user": 1, "max_sessions_policy": "refuse"})
    browser = site.browser()
    browser.sign_up()
    answer = site.browser().sign_in()
    assert (answer.status_code, answer.json()["code"]) == (403, "TOO_MANY_SESSIONS")
    assert browser.get("/get-session").status_code == 200
    site.clock.move(days=7)
    assert site.browser().sign_in().status_code == 200


def test_rotate(site: Site) -> None:
    """A new token on a change of privilege: the old one is dead at once, the session the same."""
    session = site.session(site.user())
    rotated = site.run(site.auth.sessions.rotate(session))
    ask = site.client().get
    assert rotated.id == session.id
    assert rotated.token != session.token
    assert ask("/get-session", headers=bearer(session.token)).status_code == 401
    assert ask("/get-session", headers=bearer(rotated.token)).status_code == 200
    listed = ask("/list-sessions", headers=bearer(rotated.token)).json()["sessions"]
    assert [s["token"] for s in listed] == [rotated.token]


def test_fresh_age(site_with: MakeSite) -> None:
    """A session is fresh for fresh_age after credentials were proven; rotation may renew it."""
    site = site_with(session={"fresh_age": timedelta(minutes=5)})
    session = site.session(site.user())
    assert site.auth.sessions.is_fresh(session)
    site.clock.move(minutes=5)
    assert not site.auth.sessions.is_fresh(session)
    renewed = site.run(site.auth.sessions.rotate(session, authenticated=True))
    assert site.auth.sessions.is_fresh(renewed)


def test_deleting_the_user_ends_the_sessions(site: Site) -> None:
    """No session outlives its user."""
    user = site.user()
    token = site.session(user).token
    assert site.run(site.auth.users.delete(user))
    assert site.client().get("/get-session", headers=bearer(token)).status_code == 401


def test_purge(site: Site) -> None:
    """Expired rows are purged in batches, live ones stay."""

    async def work() -> tuple[list[int], str]:
        user = await site.auth.users.create(name="Ada", email="ada@example.com")
        for _ in range(25):
            await site.auth.sessions.create(user, remember=False)
        site.clock.move(days=1)
        kept = await site.auth.sessions.create(user)
        assert await site.auth.sessions.count_expired() == 25
        return [gone async for gone in site.auth.sessions.purge(batch=10)], kept.token

    batches, token = site.run(work())
    assert batches == [10, 10, 5]
    assert site.client().get("/get-session", headers=bearer(token)).status_code == 200
