"""The session's cookie: its name and attributes, when it is set and when it is taken back."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from better_auth import AuthConfig, BetterAuth, ConfigurationError, SameSite
from tests.conftest import Site
from tests.support import COOKIE, SECRET, bearer, session_cookie, set_cookies

DATABASES = ["sqlite"]
"""No database has a say in this."""

WEEK = 7 * 24 * 60 * 60


def attributes(cookie: dict[str, str]) -> dict[str, str]:
    """What must be the same for a browser to take one cookie for the other."""
    return {name: cookie[name] for name in cookie.keys() - {"value", "max-age", "expires"}}


def test_the_defaults() -> None:
    """ "session.expires_in 7 days", "session.cookie_name better-auth.session-token",
    "session.cookie_secure true", "session.cookie_http_only true", "session.cookie_same_site
    Lax"."""
    session = AuthConfig(SECRET).session
    assert session.expires_in.total_seconds() == WEEK
    assert session.cookie_name == "better-auth.session-token"
    assert session.cookie_secure is True
    assert session.cookie_http_only is True
    assert session.cookie_same_site is SameSite.LAX
    assert session.cookie_path == "/"
    assert session.cookie_domain is None


def test_the_cookie_of_the_defaults(site_with: Callable[..., Site]) -> None:
    """ "HTTPS-only cookie", "Prevent JavaScript access", "SameSite cookie policy", and "set
    ... with the session's Max-Age and Expires"."""
    site = site_with(session={"cookie_secure": True})
    answer = site.browser().sign_up()
    assert set_cookies(answer) == [
        {
            "name": "better-auth.session-token",
            "value": answer.json()["token"],
            "max-age": str(WEEK),
            "expires": "Mon, 08 Jan 2024 00:00:00 GMT",
            "path": "/",
            "httponly": "",
            "secure": "",
            "samesite": "Lax",
        }
    ]


@pytest.mark.parametrize(
    ("settings", "there", "absent"),
    [
        ({"cookie_secure": True}, {"secure": ""}, set()),
        ({"cookie_secure": False}, {}, {"secure"}),
        ({"cookie_http_only": False}, {}, {"httponly"}),
        ({"cookie_same_site": SameSite.STRICT}, {"samesite": "Strict"}, set()),
        ({"cookie_same_site": "None", "cookie_secure": True}, {"samesite": "None"}, set()),
        ({"cookie_path": "/app"}, {"path": "/app"}, set()),
        ({"cookie_domain": "example.com"}, {"domain": "example.com"}, set()),
        ({"cookie_name": "sid"}, {"name": "sid"}, set()),
        ({"expires_in": 3600}, {"max-age": "3600"}, set()),
    ],
)
def test_every_option_reaches_the_cookie(
    site_with: Callable[..., Site],
    settings: dict[str, Any],
    there: dict[str, str],
    absent: set[str],
) -> None:
    """ "`AuthConfig.session` (`SessionConfig`): `expires_in` 7 days, `cookie_name`,
    `cookie_secure`, `cookie_http_only`, `cookie_same_site`, plus `cookie_path`,
    `cookie_domain`"."""
    site = site_with(session=settings)
    made = site.browser().sign_up()
    name = settings.get("cookie_name", COOKIE)
    cookie = session_cookie(made, name)
    assert cookie is not None
    assert there.items() <= cookie.items()
    assert not absent & cookie.keys()
    cleared = session_cookie(
        site.client().post("/sign-out", headers=bearer(made.json()["token"])), name
    )
    assert cleared is not None
    assert attributes(cleared) == attributes(cookie)


def test_the_name_is_configurable(site_with: Callable[..., Site]) -> None:
    """ "The cookie name is configurable via SessionConfig::cookie_name": the configured one counts
    and the default one no longer does."""
    site = site_with(session={"cookie_name": "sid"})
    token = site.session(site.user()).token
    client = site.client()
    assert client.get("/get-session", headers={"Cookie": f"sid={token}"}).status_code == 200
    assert client.get("/get-session", headers={"Cookie": f"{COOKIE}={token}"}).status_code == 401


def test_configured_as_on_the_page(site_with: Callable[..., Site]) -> None:
    """ "let mut config = AuthConfig::new("secret..."); config.session.expires_in = ...;
    config.session.cookie_name = ..."."""
    config = AuthConfig(SECRET)
    config.session.expires_in = 60  # type: ignore[assignment]
    config.session.cookie_name = "sid"
    config.session.cookie_secure = True
    config.session.cookie_http_only = True
    config.session.cookie_same_site = SameSite.STRICT
    auth = BetterAuth(config, database="sqlite://")
    assert auth.config.session.expires_in.total_seconds() == 60
    config.session.cookie_name = "later"
    assert auth.config.session.cookie_name == "sid", "what is changed later has no effect"


@pytest.mark.parametrize("value", ["None", "none", SameSite.NONE])
def test_none_needs_secure(value: Any) -> None:
    """ "SameSite None without Secure is refused at build"."""
    config = AuthConfig(SECRET, session={"cookie_same_site": value, "cookie_secure": False})
    with pytest.raises(ConfigurationError, match=r"session\.cookie_same_site"):
        BetterAuth(config, database="sqlite://")
    config.session.cookie_secure = True
    assert BetterAuth(config, database="sqlite://")


def test_set_by_every_endpoint_that_makes_a_session(site: Site) -> None:
    """ "The cookie is set by every endpoint that makes a session, with the session's Max-Age and
    Expires"."""
    browser = site.browser()
    for make_session in (browser.sign_up, browser.sign_in):
        answer = make_session()
        cookie = session_cookie(answer)
        assert cookie is not None
        assert cookie["value"] == answer.json()["token"]
        session = browser.get("/get-session").json()["session"]
        assert session["token"] == cookie["value"]
        assert cookie["max-age"] == str(WEEK)
        assert parsedate_to_datetime(cookie["expires"]).isoformat() == "2024-01-08T00:00:00+00:00"
        assert session["expiresAt"] == "2024-01-08T00:00:00.000Z"


def test_no_cookie_where_no_session_is_made(site: Site) -> None:
    """ "The cookie is set by every endpoint that makes a session": and by no refusal."""
    browser = site.browser()
    browser.sign_up()
    fresh = site.browser()
    assert set_cookies(fresh.sign_up()) == []
    assert set_cookies(fresh.sign_in(password="wrong password")) == []
    assert set_cookies(fresh.get("/get-session")) == []
    assert set_cookies(browser.get("/get-session")) == []
    assert set_cookies(browser.get("/list-sessions")) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sign-out", None),
        ("/revoke-sessions", None),
        ("/revoke-session", "token"),
        ("/revoke-session", "id"),
    ],
)
def test_taken_back(site_with: Callable[..., Site], path: str, body: str | None) -> None:
    """ "and cleared with the same attributes by sign-out, revoke-sessions and revoke-session of the
    current token"."""
    site = site_with(session={"cookie_same_site": "Strict", "cookie_path": "/auth"})
    browser = site.browser()
    made = session_cookie(browser.sign_up())
    session = browser.get("/get-session").json()["session"]
    answer = browser.post(path, {body: session[body]} if body else None)
    assert answer.status_code == 200
    cleared = session_cookie(answer)
    assert made is not None
    assert cleared is not None
    assert attributes(cleared) == attributes(made)
    assert cleared["value"] == ""
    assert cleared["max-age"] == "0"
    assert cleared["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert not browser.http.cookies


def test_not_taken_back_when_others_are_revoked(site: Site) -> None:
    """ "cleared ... by ... revoke-session of the *current* token": the browser stays signed in when
    it revokes another, or all others."""
    browser = site.browser()
    browser.sign_up()
    user = site.run(site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    other = site.session(user)
    assert set_cookies(browser.post("/revoke-session", {"token": other.token})) == []
    assert set_cookies(browser.post("/revoke-session", {"id": site.session(user).id})) == []
    assert set_cookies(browser.post("/revoke-other-sessions")) == []
    assert browser.get("/get-session").status_code == 200


def test_signing_in_anew_replaces_the_cookie(site: Site) -> None:
    """ "a new token on every change of privilege": signing in never continues the token that came
    with the request, so nobody can have planted it."""
    browser = site.browser()
    first = browser.sign_up().json()["token"]
    second = browser.sign_in().json()["token"]
    assert first != second
    assert browser.http.cookies[COOKIE] == second
    planted = site.browser()
    planted.http.cookies.set(COOKIE, "session_planted")
    third = planted.sign_in()
    assert third.json()["token"] not in ("session_planted", first, second)


def test_other_cookies_do_no_harm(site: Site) -> None:
    """ "Session tokens can be sent via ... cookie": among whatever else the browser holds."""
    token = site.session(site.user()).token
    client = site.client()
    for header in (
        f'theme={{"dark": [1, 2]}}; {COOKIE}={token}',
        f"a=1;{COOKIE}={token};b=2",
        f"lonely; {COOKIE}={token}",
        f'quote="; {COOKIE}={token}',
        f'{COOKIE}="{token}"',
        f"x{COOKIE}=wrong; {COOKIE}={token}",
        f"{COOKIE}.sig=wrong; {COOKIE}={token}",
        f"a=b=c; {COOKIE} = {token}",
    ):
        answer = client.get("/get-session", headers={"Cookie": header})
        assert answer.status_code == 200, header
    two_lines = [("Cookie", "a=1"), ("Cookie", f"{COOKIE}={token}")]
    assert client.get("/get-session", headers=two_lines).status_code == 200
    non_ascii = [(b"Cookie", b"name=J\xf6rg; " + f"{COOKIE}={token}".encode())]
    assert client.get("/get-session", headers=non_ascii).status_code == 200
