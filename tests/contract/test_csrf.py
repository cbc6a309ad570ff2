"""Requests that other sites make browsers send; where one may be sent on to."""

from collections.abc import Callable

import httpx
import pytest

from better_auth.errors import ConfigurationError
from tests.conftest import Site
from tests.support import COOKIE, PASSWORD, bearer, make_auth, make_config

DATABASES = ["sqlite"]
"""No database has a say in this."""

MakeSite = Callable[..., Site]
EVIL = "https://evil.example"


def post(site: Site, path: str, headers: dict[str, str], cookies: bool) -> httpx.Response:
    """POST, with the cookie of a live session where asked."""
    if cookies:
        token = site.session(site.user(f"{path.strip('/').replace('/', '-')}@example.com")).token
        headers = headers | {"Cookie": f"{COOKIE}={token}"}
    body = {"email": "a@example.com", "password": PASSWORD} if "sign-in" in path else None
    return site.client().post(path, headers=headers, json=body)


@pytest.mark.parametrize(
    ("headers", "with_cookies", "sign_in"),
    [
        ({}, 403, 401),
        ({"Origin": EVIL}, 403, 403),
        ({"Origin": "null"}, 403, 403),
        ({"Referer": f"{EVIL}/page"}, 403, 403),
        ({"Referer": "OWN/page"}, 200, 401),
        ({"Origin": "OWN"}, 200, 401),
        ({"Origin": "OWN", "Referer": f"{EVIL}/"}, 200, 401),
        ({"Origin": EVIL, "Referer": "OWN/"}, 403, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403, 403),
        ({"Origin": "OWN", "Sec-Fetch-Site": "cross-site"}, 403, 403),
        ({"Origin": "OWN", "Sec-Fetch-Site": "same-origin"}, 200, 401),
        ({"Origin": "https://app.trusted.example", "Sec-Fetch-Site": "cross-site"}, 200, 401),
        ({"Origin": "https://a.b.trusted.example"}, 403, 403),
        ({"Origin": "http://app.trusted.example"}, 403, 403),
        ({"Origin": "https://trusted.example.evil.example"}, 403, 403),
        ({"Origin": "https://app.trusted.example@evil.example"}, 403, 403),
        ({"Origin": "http://[bad"}, 403, 403),
        ({"Origin": "capacitor://localhost"}, 200, 401),
        ({"Origin": "capacitor://localhost", "Sec-Fetch-Site": "cross-site"}, 200, 401),
        ({"Origin": "capacitor://else"}, 403, 403),
        ({"Origin": "ionic://HOST"}, 403, 403),
    ],
)
def test_origin(
    site_with: MakeSite, headers: dict[str, str], with_cookies: int, sign_in: int
) -> None:
    """A state-changing request that carries cookies comes from a trusted origin; sign-in and
    sign-up refuse cross-site requests without cookies too."""
    site = site_with(trusted_origins=["https://*.trusted.example", "capacitor://localhost"])
    host = site.origin.partition("://")[2]
    headers = {
        name: value.replace("OWN", site.origin).replace("HOST", host)
        for name, value in headers.items()
    }
    assert post(site, "/revoke-other-sessions", headers, cookies=True).status_code == with_cookies
    expected = 401 if with_cookies == 200 else 403
    assert post(site, "/sign-in/email", headers, cookies=True).status_code == expected
    assert post(site, "/sign-in/email", headers, cookies=False).status_code == sign_in
    assert post(site, "/revoke-other-sessions", headers, cookies=False).status_code == 401


def test_reading_is_not_guarded(site: Site) -> None:
    """GET changes nothing and is answered whatever the origin says."""
    token = site.session(site.user()).token
    headers = {"Cookie": f"{COOKIE}={token}", "Origin": EVIL}
    assert site.client().get("/get-session", headers=headers).status_code == 200


def test_bearer_without_cookies_is_not_guarded(site: Site) -> None:
    """A program with a Bearer token has no browser to be tricked."""
    headers = bearer(site.session(site.user()).token) | {"Origin": EVIL}
    assert site.client().post("/sign-out", headers=headers).status_code == 200


def test_base_url_is_the_own_origin(site_with: MakeSite) -> None:
    """With base_url set, the Host of a request decides nothing."""
    site = site_with(base_url="https://app.example.com")
    for origin, status in (("https://app.example.com", 200), (site.origin, 403)):
        answer = post(site, "/revoke-other-sessions", {"Origin": origin}, cookies=True)
        assert answer.status_code == status
        user = site.run(site.auth.users.find_by_email("revoke-other-sessions@example.com"))
        assert user is not None
        site.run(site.auth.users.delete(user))


def test_hosts_are_not_remembered(site: Site) -> None:
    """Without base_url, each request's own Host is its origin, and no earlier one's."""
    token = site.session(site.user()).token
    for host in ("one.example", "two.example"):
        for origin, status in ((f"https://{host}", 200), ("https://other.example", 403)):
            headers = {"Host": host, "Origin": origin, "Cookie": f"{COOKIE}={token}"}
            answer = site.client().post("/revoke-other-sessions", headers=headers)
            assert answer.status_code == status


def test_disable_csrf_check(site_with: MakeSite) -> None:
    """The relaxation has a name."""
    site = site_with(disable_csrf_check=True)
    answer = post(site, "/revoke-other-sessions", {"Origin": EVIL}, cookies=True)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("/home", True),
        ("/home?tab=1#top", True),
        ("OWN/home", True),
        ("https://app.trusted.example/x", True),
        (EVIL, False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("/%2fevil.example", False),
        ("/%5Cevil.example", False),
        ("\\\\evil.example", False),
        ("https://app.trusted.example@evil.example", False),
        ("https://app.trusted.example.evil.example", False),
        ("https://app.trusted.example\\@evil.example", False),
        ("http://[bad", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("home", False),
        ("", False),
        (" /home", False),
        ("/home\nLocation: x", False),
        ("https:/evil.example", False),
        ("myapp://callback/x", True),
        ("myapp://else/x", False),
        ("javascript://HOST/%0aalert(1)", False),
        ("HTTPS://EVIL.example", False),
    ],
)
def test_callback_url(site_with: MakeSite, url: str, allowed: bool) -> None:
    """callbackURL only to trusted origins."""
    site = site_with(trusted_origins=["https://*.trusted.example", "myapp://callback"])
    url = url.replace("OWN", site.origin).replace("HOST", site.origin.partition("://")[2])
    body = {"email": "a@example.com", "password": PASSWORD, "callbackURL": url}
    answer = site.client().post("/sign-in/email", json=body)
    if allowed:
        assert answer.json()["code"] == "INVALID_EMAIL_OR_PASSWORD"
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "INVALID_CALLBACK_URL")


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:*",
        "https://app.example.com?tab",
        "https://app.example.com/page",
        "https://ada@app.example.com",
        "https://app example.com",
        "https://münchen.example",
        "app.example.com",
        "://app",
    ],
)
def test_what_no_origin_can_be_is_refused(origin: str) -> None:
    """A page that is meant to be trusted and never would be shows at start."""
    with pytest.raises(ValueError, match="trusted_origins"):
        make_config(trusted_origins=[origin])


def test_cors_is_off_by_default(site: Site) -> None:
    """No Access-Control header unless asked for."""
    answer = site.client().get("/ok", headers={"Origin": EVIL})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_cors(site_with: MakeSite) -> None:
    """cors.enabled: the trusted origins may read, with credentials, and nobody else."""
    trusted = ["https://app.example.com", "https://*.example.org"]
    site = site_with(cors={"enabled": True}, trusted_origins=trusted)
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    anybody = {"https://app.example.com": True, "https://of.example.org": True}
    nobody = {EVIL: False, "https://of.example.org.evil.example": False, "null": False}
    for origin, is_allowed in (anybody | nobody).items():
        allowed = origin if is_allowed else None
        answer = site.client().options("/sign-in/email", headers=asked | {"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed
        read = site.client().get("/ok", headers={"Origin": origin, "Cookie": "theme=dark"})
        assert read.headers.get("access-control-allow-origin") == allowed
        assert "X-Retry-After" in read.headers["access-control-expose-headers"]


def test_cors_for_everybody_is_refused() -> None:
    """Every site there is could read sessions, and with them tokens."""
    with pytest.raises(ValueError, match="allow_origins"):
        make_config(cors={"enabled": True, "allow_origins": ["*"]})


def test_cors_of_any_subdomain(site_with: MakeSite) -> None:
    """The star of a trusted origin stands for one label to CORS as well."""
    site = site_with(cors={"enabled": True}, trusted_origins=["https://*.example.com"])
    for origin, allowed in (
        ("https://app.example.com", True),
        ("https://a.b.example.com", False),
        ("https://example.com", False),
        ("https://app.example.com.evil.example", False),
        ("https://appXexample.com", False),
    ):
        answer = site.client().get("/ok", headers={"Origin": origin})
        shown = answer.headers.get("access-control-allow-origin")
        assert shown == (origin if allowed else None)


@pytest.mark.parametrize("origin", ["*", "null", "app.example.com"])
def test_cors_is_never_for_everybody(origin: str) -> None:
    """Whoever may read with credentials is named: ``*`` would let every site read a session."""
    with pytest.raises((ConfigurationError, ValueError), match="allow_origins"):
        make_auth(cors={"enabled": True, "allow_origins": [origin]})
