"""``wire="javascript"``: the same application, as the official JavaScript client expects it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request

from better_auth import AuthConfig, ConfigurationError
from better_auth.crypto import CookieSigner
from better_auth.handlers import CurrentSession, OptionalSession, mount_auth
from better_auth.handlers.starlette import mount_auth as mount_starlette
from better_auth.http.messages import AuthRequest
from tests.conftest import Site
from tests.support import (
    NO_TLS,
    PASSWORD,
    SECRET,
    Browser,
    MovableClock,
    bearer,
    every_plugin,
    make_auth,
    serve,
    session_cookie,
    set_cookies,
)

DATABASES = ["sqlite"]
"""What is stored is the same in either look."""

COOKIE = "better-auth.session_token"
NATIVE = "better-auth.session-token"
SIGNER = CookieSigner([SECRET])


@pytest.fixture
def site(site_with: Callable[..., Site]) -> Site:
    """The JavaScript look alone."""
    return site_with(wire="javascript")


def signed(token: str) -> dict[str, str]:
    """The Cookie header of a browser that holds ``token``."""
    return {"Cookie": f"{COOKIE}={SIGNER.signed(token)}"}


def test_it_is_at_api_auth_unless_told_otherwise(site_with: Callable[..., Site]) -> None:
    """Base path ``/api/auth``."""
    assert AuthConfig(SECRET, wire="javascript").base_path == "/api/auth"
    assert AuthConfig(SECRET, wire="javascript", base_path="/x").base_path == "/x"
    config = AuthConfig(SECRET)
    config.wire = "javascript"
    assert config.base_path == "/api/auth"
    config.wire = "native"
    assert config.base_path == "/auth"


def test_the_cookie_is_signed(site: Site) -> None:
    """``better-auth.session_token``, HMAC-SHA256, ``value.signature``, URI-encoded."""
    answer = site.browser().sign_up()
    cookie = session_cookie(answer, COOKIE)
    assert cookie is not None
    assert SIGNER.opened(unquote(cookie["value"])) == answer.json()["token"]
    assert "=" not in cookie["value"]
    attributes = cookie.keys() - {"name", "value"}
    assert attributes == {"max-age", "path", "httponly", "samesite"}
    assert cookie["max-age"] == str(7 * 24 * 3600)


def test_over_https_its_name_says_so(site_with: Callable[..., Site]) -> None:
    """``__Secure-`` on https."""
    answer = site_with(wire="javascript", session={"cookie_secure": True}).browser().sign_up()
    assert session_cookie(answer, f"__Secure-{COOKIE}") is not None


@pytest.mark.parametrize(
    "cookie",
    [
        "{token}",
        "{token}.",
        "{token}.AAAA",
        "{token}.{forged}",
        ".{signature}",
        "x{token}.{signature}",
        "%zz.{signature}",
        "é.{signature}",
        "%00.{signature}",
    ],
)
def test_a_cookie_that_is_not_signed_by_us_is_nobodys(site: Site, cookie: str) -> None:
    """A token without its signature opens nothing: 200 null, as for everybody signed out."""
    token = site.session(site.user()).token
    signature = SIGNER.signed(token).rpartition(".")[2]
    forged = CookieSigner(["another secret of 32 characters!"]).signed(token).rpartition(".")[2]
    value = cookie.format(token=token, signature=signature, forged=forged)
    header = {"Cookie": f"{COOKIE}={value}".encode()}
    answer = site.client().get("/get-session", headers=header)
    assert (answer.status_code, answer.json()) == (200, None)
    assert site.client().get("/get-session", headers=signed(token)).json() is not None


def test_every_secret_recognises_a_cookie(site_with: Callable[..., Site]) -> None:
    """The first signs, all verify, so a rotation logs nobody out."""
    other = "a newer secret of 32 characters or more"
    site = site_with(wire="javascript", secrets=[other, SECRET], session={"token_storage": "plain"})
    token = site.session(site.user()).token
    assert site.client().get("/get-session", headers=signed(token)).json() is not None
    answer = site.browser().sign_up("eve@example.com")
    cookie = session_cookie(answer, COOKIE)
    assert cookie is not None
    assert CookieSigner([other]).opened(unquote(cookie["value"])) == answer.json()["token"]


def test_a_session_that_is_over_is_null_and_its_cookie_taken_back(
    site: Site, clock: MovableClock
) -> None:
    """``GET /get-session`` answers 200 ``null`` when signed out."""
    browser = site.browser()
    browser.sign_up()
    clock.move(days=8)
    answer = browser.get("/get-session")
    assert (answer.status_code, answer.json()) == (200, None)
    cookie = session_cookie(answer, COOKIE)
    assert cookie is not None
    assert (cookie["value"], cookie["max-age"]) == ("", "0")
    assert session_cookie(browser.get("/get-session"), COOKIE) is None
    assert browser.get("/list-sessions").status_code == 401


def test_not_to_be_remembered(site: Site) -> None:
    """``rememberMe``: false sets a cookie without Max-Age."""
    answer = site.browser().sign_up(rememberMe=False)
    cookie = session_cookie(answer, COOKIE)
    assert cookie is not None
    assert "max-age" not in cookie


def test_reading_may_leave_the_refresh_to_a_post(
    site_with: Callable[..., Site], clock: MovableClock
) -> None:
    """``needsRefresh``: reading writes nothing, and ``POST /get-session`` without a body does."""
    site = site_with(wire="javascript", session={"defer_refresh": True})
    browser = site.browser()
    browser.sign_up()
    first = browser.get("/get-session").json()
    assert first["needsRefresh"] is False
    clock.move(days=2)
    browser.get("/get-session")
    aged = browser.get("/get-session")
    assert aged.json()["needsRefresh"] is True
    assert session_cookie(aged, COOKIE) is None
    assert browser.get("/list-sessions").json()[0]["expiresAt"] == first["session"]["expiresAt"]
    moved = browser.post("/get-session")
    assert session_cookie(moved, COOKIE) is not None
    assert moved.json()["session"]["expiresAt"] > first["session"]["expiresAt"]
    assert "needsRefresh" not in moved.json()
    assert browser.get("/get-session").json()["needsRefresh"] is False


def test_a_query_may_ask_for_no_refresh(site: Site, clock: MovableClock) -> None:
    """Query ``disableRefresh`` extends nothing; ``disableCookieCache`` is accepted."""
    browser = site.browser()
    browser.sign_up()
    clock.move(days=2)
    query = {"disableRefresh": "true", "disableCookieCache": "true"}
    assert session_cookie(browser.get("/get-session", params=query), COOKIE) is None
    assert session_cookie(browser.get("/get-session"), COOKIE) is not None


def test_too_many_requests_in_either_look_count_together(site_with: Callable[..., Site]) -> None:
    """429 with X-Retry-After too; two looks do not double what may be tried."""
    limits = {"enabled": True, "sign_in_limit": 3}
    site = site_with(javascript_path="/api/auth", rate_limit=limits)
    browser = Browser(site.origin, "/api/auth")
    assert [browser.sign_in().status_code for _ in range(2)] == [401, 401]
    assert site.browser().sign_in().status_code == 401
    refused = browser.sign_in()
    assert refused.status_code == 429
    assert refused.headers["X-Retry-After"] == refused.headers["Retry-After"]
    assert "X-Retry-After" not in site.browser().sign_in().headers
    browser.close()


def test_no_cookie_of_a_plugin_passes_for_another(site_with: Callable[..., Site]) -> None:
    """Each cookie's signature is bound to its name; the challenge travels by cookie only."""
    site = site_with(wire="javascript", plugins=every_plugin())
    browser = site.browser()
    browser.sign_up()
    enrolment = browser.post("/two-factor/enable", {"password": PASSWORD}).json()
    code = enrolment["backupCodes"][0]
    user = site.run(site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    site.run(site.auth.users.update(user, {"two_factor_enabled": True}))
    answer = site.browser().sign_in()
    assert answer.json().keys() == {"twoFactorRedirect", "twoFactorMethods"}
    (challenge,) = (c for c in set_cookies(answer) if c["name"] == "better-auth.two_factor")
    token, _, signature = unquote(challenge["value"]).rpartition(".")
    client = site.client()
    for name, value in (
        ("two_factor", token),
        ("two_factor", f"{token}.{'0' * 64}"),
        ("two_factor", SIGNER.signed(token)),
        ("trust_device", f"{token}.{signature}"),
    ):
        header = {"Cookie": f"better-auth.{name}={value}", "Origin": site.origin}
        tried = client.post("/two-factor/verify-backup-code", json={"code": code}, headers=header)
        assert (tried.status_code, tried.json()["code"]) == (401, "INVALID_TWO_FACTOR_COOKIE")
    session = {"Cookie": f"{COOKIE}={token}.{signature}"}
    assert client.get("/get-session", headers=session).json() is None
    header = {"Cookie": f"better-auth.two_factor={challenge['value']}", "Origin": site.origin}
    done = client.post("/two-factor/verify-backup-code", json={"code": code}, headers=header)
    assert done.status_code == 200


# Both at once


@contextmanager
def application(clock: MovableClock) -> Iterator[httpx.Client]:
    """A client of a FastAPI application with both looks and routes of its own."""
    auth = make_auth(clock=clock)
    app = FastAPI()
    mount_auth(app, auth, javascript_path="/api/auth")

    @app.get("/me")
    async def me(session: CurrentSession) -> dict[str, str]:
        return {"email": session.user.email}

    @app.get("/maybe")
    async def maybe(session: OptionalSession) -> dict[str, str | None]:
        return {"email": session.user.email if session else None}

    @app.get("/by-call")
    async def by_call(request: Request) -> dict[str, str]:
        return {"email": (await auth.call_from(request.scope).require()).user.email}

    with serve(app) as origin:
        headers = {"Origin": origin}
        with httpx.Client(base_url=origin, headers=headers, verify=NO_TLS) as client:
            yield client


def test_one_application_serves_both_over_the_same_sessions(clock: MovableClock) -> None:
    """One ``BetterAuth`` serves both wires at two paths (``/auth`` native, ``/api/auth``
    javascript) over the same sessions."""
    person = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    with application(clock) as client:
        there = client.post("/api/auth/sign-up/email", json=person)
        assert session_cookie(there, COOKIE) is not None
        assert session_cookie(there, NATIVE) is None
        token = there.json()["token"]
        for path in ("/me", "/by-call", "/by-call"):
            assert client.get(path).json() == {"email": "ada@example.com"}
        assert client.get("/auth/get-session").status_code == 401
        here = client.get("/auth/get-session", headers=bearer(token)).json()
        assert here == client.get("/api/auth/get-session").json()
        assert len(client.get("/auth/list-sessions", headers=bearer(token)).json()["sessions"]) == 1
        ended = client.post("/auth/revoke-sessions", headers=bearer(token))
        assert ended.json() == {"count": 1}
        assert client.get("/api/auth/get-session").json() is None
        assert client.get("/me").status_code == 401


def test_a_route_knows_either_cookie_and_sends_it_again_in_its_form(clock: MovableClock) -> None:
    """CurrentSession recognises a session by whichever wire's cookie (and Bearer) and re-sends a
    refreshed cookie in that wire's form."""
    person = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    with application(clock) as client:
        token = client.post("/auth/sign-up/email", json=person).json()["token"]
        client.cookies.clear()
        native = {"Cookie": f"{NATIVE}={token}"}
        for header in (native, signed(token), bearer(token), bearer(SIGNER.signed(token))):
            assert client.get("/me", headers=header).json() == {"email": "ada@example.com"}
        over = {"Cookie": f"{NATIVE}=session_gone; {COOKIE}={SIGNER.signed(token)}"}
        assert client.get("/me", headers=over).status_code == 200
        for header, name in ((native, NATIVE), (signed(token), COOKIE)):
            clock.move(days=2)
            answer = client.get("/me", headers=header)
            client.cookies.clear()
            assert [cookie["name"] for cookie in set_cookies(answer)] == [name]
        clock.move(days=2)
        moved = client.get("/maybe", headers=bearer(token))
        assert (moved.status_code, set_cookies(moved)) == (200, [])
        forged = {"Cookie": f"{COOKIE}={token}"}
        assert client.get("/maybe", headers=forged).json() == {"email": None}


@pytest.mark.parametrize("way", ["itself", "mounted", "by hand"])
def test_each_way_to_serve_both(way: str) -> None:
    """``AuthConfig.javascript_path``, and ``auth.app(wire=..., base_path=...)``."""
    if way == "by hand":
        auth = make_auth()
        app = Starlette()
        app.mount("/api/auth", auth.app(wire="javascript", base_path="/api/auth"))
        app.mount("/auth", auth)
    else:
        auth = make_auth(javascript_path="/api/auth")
        app = Starlette()
        app.mount("/api/auth" if way == "mounted" else "/", auth)
    with serve(app) as origin, httpx.Client(base_url=origin, verify=NO_TLS) as client:
        answer = client.get("/api/auth/get-session")
        assert (answer.status_code, answer.text) == (200, "null")
        assert client.get("/api/auth/nothing").status_code == 404
        if way != "mounted":
            assert client.get("/auth/get-session").status_code == 401


@pytest.mark.parametrize(
    ("base_path", "javascript_path"),
    [("/", "/api/auth"), ("/auth", "/auth/js"), ("/auth/native", "/auth")],
)
@pytest.mark.parametrize("is_mounted", [False, True])
def test_one_look_below_the_other(base_path: str, javascript_path: str, is_mounted: bool) -> None:
    """Where a path is below both, the longer one is meant."""
    app: Any = make_auth(base_path=base_path, javascript_path=javascript_path)
    if is_mounted:
        app = Starlette()
        mount_starlette(app, make_auth(base_path=base_path), javascript_path=javascript_path)
    with serve(app) as origin, httpx.Client(base_url=origin, verify=NO_TLS) as client:
        assert client.get(base_path.rstrip("/") + "/get-session").status_code == 401
        assert client.get(javascript_path + "/get-session").text == "null"
        assert client.get(javascript_path + "/nothing").json()["code"] == "NOT_FOUND"


def test_what_cannot_be_served_is_refused() -> None:
    """Contradictory settings are refused, naming what contradicts."""
    with pytest.raises(ConfigurationError, match="javascript_path"):
        make_auth(javascript_path="/auth")
    with pytest.raises(ConfigurationError, match="cookie_name"):
        make_auth(javascript_path="/api/auth", session={"cookie_name": COOKIE})
    with pytest.raises(ConfigurationError, match="base_path"):
        make_auth().app(wire="javascript", base_path="/a//b")
    assert make_auth(javascript_path="").config.javascript_path is None


def test_each_look_has_an_answer_of_its_own(site_with: Callable[..., Site]) -> None:
    """However often both are asked for the same session."""
    site = site_with(javascript_path="/api/auth")
    token = site.browser().sign_up().json()["token"]
    query = {"disableRefresh": "true"}
    with httpx.Client(base_url=site.origin, verify=NO_TLS, headers=bearer(token)) as client:
        for _ in range(4):
            assert client.get("/auth/list-sessions").json()["sessions"]
            assert client.get("/api/auth/list-sessions").json()[0]["token"] == token
            here = client.get("/auth/get-session")
            assert here.content == client.get("/api/auth/get-session", params=query).content
            assert here.json()["session"]["token"] == token


def test_each_look_has_a_document_of_its_own(site_with: Callable[..., Site]) -> None:
    """/openapi.json says what is answered where it is asked."""
    site = site_with(javascript_path="/api/auth")
    with httpx.Client(base_url=site.origin, verify=NO_TLS) as client:
        native = client.get("/auth/openapi.json").json()
        javascript = client.get("/api/auth/openapi.json").json()
    assert [d["servers"][0]["url"] for d in (native, javascript)] == ["/auth", "/api/auth"]
    names = [d["components"]["securitySchemes"]["cookie"]["name"] for d in (native, javascript)]
    assert names == [NATIVE, COOKIE]
    listing = [
        d["paths"]["/list-sessions"]["get"]["responses"]["200"]["content"]["application/json"]
        for d in (native, javascript)
    ]
    assert "type" not in listing[0]["schema"]
    assert listing[1]["schema"]["type"] == "array"


def test_a_cookie_of_one_name_is_none_of_another(site_with: Callable[..., Site]) -> None:
    """ "each cookie's signature bound to its name": what was set as one passes for no other."""
    site = site_with(wire="javascript", plugins=every_plugin())
    wire = site.auth.context.wire
    given = wire.plugin_cookie("trust-device", "value", timedelta(hours=1))

    def read(name: str) -> str | None:
        line = f"better-auth.{name.replace('-', '_')}={given.value}".encode()
        return wire.plugin_value(AuthRequest(headers=[(b"cookie", line)]), name)

    assert read("trust-device") == "value"
    assert read("admin-session") is None
    assert read("two-factor") is None
