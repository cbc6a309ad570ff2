"""The session page, sentence by sentence; each test quotes what it proves."""

import asyncio
import re
from collections.abc import Callable
from uuid import UUID

import pytest

from better_auth.plugins import EmailPasswordPlugin, SessionManagementPlugin
from tests.conftest import Site
from tests.support import COOKIE, bearer

MakeSite = Callable[..., Site]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NEEDS_SESSION = [
    ("GET", "/get-session"),
    ("POST", "/get-session"),
    ("POST", "/sign-out"),
    ("GET", "/list-sessions"),
    ("POST", "/revoke-session"),
    ("POST", "/revoke-sessions"),
    ("POST", "/revoke-other-sessions"),
]
BODIES = {"/revoke-session": {"token": "session_to_revoke"}}


def test_bearer_or_cookie(site: Site) -> None:
    """ "Session tokens can be sent via Bearer header or cookie"."""
    session = site.session(site.user())
    for headers in (bearer(session.token), {"Cookie": f"{COOKIE}={session.token}"}):
        answer = site.client().get("/get-session", headers=headers)
        assert answer.status_code == 200
        assert answer.json()["session"]["id"] == session.id


def test_cookie_name_is_configurable(site_with: MakeSite) -> None:
    """ "The cookie name is configurable via SessionConfig::cookie_name"."""
    site = site_with(session={"cookie_name": "sid"})
    assert "sid=session_" in site.browser().sign_up().headers["set-cookie"]
    token = site.session(site.user("b@example.com")).token
    ask = site.client().get
    assert ask("/get-session", headers={"Cookie": f"sid={token}"}).status_code == 200
    assert ask("/get-session", headers={"Cookie": f"{COOKIE}={token}"}).status_code == 401


def test_get_session_body(site: Site) -> None:
    """The response of GET /get-session, key by key, in the page's order."""
    browser = site.browser()
    token = browser.sign_up().json()["token"]
    body = browser.get("/get-session").json()
    assert list(body) == ["session", "user"]
    session, user = body["session"], body["user"]
    assert list(session) == [
        "id",
        "token",
        "userId",
        "expiresAt",
        "createdAt",
        "updatedAt",
        "ipAddress",
        "userAgent",
    ]
    assert session["token"] == token
    assert re.fullmatch(r"session_[A-Za-z0-9_-]{43}", token)
    assert session["userId"] == user["id"]
    assert session["createdAt"] == "2024-01-01T00:00:00.000Z"
    assert session["expiresAt"] == "2024-01-08T00:00:00.000Z"
    assert session["ipAddress"] == "127.0.0.1"
    assert session["userAgent"].startswith("python-httpx")
    assert all(TIME.fullmatch(session[key]) for key in ("expiresAt", "createdAt", "updatedAt"))
    assert all(TIME.fullmatch(user[key]) for key in ("createdAt", "updatedAt"))
    assert UUID(session["id"]) != UUID(user["id"])
    assert user["email"] == "ada@example.com"


def test_times_have_three_fraction_digits(site: Site) -> None:
    """ "Times are UTC 2024-01-01T00:00:00.000Z, three fraction digits always"."""
    site.clock.move(microseconds=7_000)
    session = site.session(site.user())
    body = site.client().get("/get-session", headers=bearer(session.token)).json()
    assert body["session"]["createdAt"] == "2024-01-01T00:00:00.007Z"


@pytest.mark.parametrize(("method", "path"), NEEDS_SESSION)
@pytest.mark.parametrize("state", ["missing", "invalid", "expired"])
def test_401(site: Site, method: str, path: str, state: str) -> None:
    """ "Returns 401 if the token is missing, invalid, or expired"."""
    headers = {}
    if state == "invalid":
        headers = bearer("session_" + "x" * 43)
    elif state == "expired":
        headers = bearer(site.session(site.user()).token)
        site.clock.move(days=7)
    answer = site.client().request(method, path, headers=headers, json=BODIES.get(path))
    assert answer.status_code == 401
    assert answer.json() == {"code": "UNAUTHORIZED", "message": "A valid session is required"}
    assert answer.headers["cache-control"] == "no-store"


def test_sign_out(site: Site) -> None:
    """ "Revokes the current session. Returns: { "success": true }"."""
    browser = site.browser()
    token = browser.sign_up().json()["token"]
    other = site.session(site.user("b@example.com"))
    answer = browser.post("/sign-out")
    assert answer.json() == {"success": True}
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert COOKIE not in browser.http.cookies
    ask = site.client().get
    assert ask("/get-session", headers=bearer(token)).status_code == 401
    assert ask("/get-session", headers=bearer(other.token)).status_code == 200


def test_list_sessions(site: Site) -> None:
    """ "Returns all active sessions for the authenticated user"."""
    user = site.user()
    expired = site.session(user, remember=False)
    site.clock.move(days=1)
    first = site.session(user)
    site.clock.move(minutes=1)
    second = site.session(user)
    site.session(site.user("b@example.com"))
    body = site.client().get("/list-sessions", headers=bearer(first.token)).json()
    assert list(body) == ["sessions"]
    assert [s["id"] for s in body["sessions"]] == [second.id, first.id]
    assert [s["token"] for s in body["sessions"]] == [second.token, first.token]
    assert expired.id not in str(body)


def test_revoke_session(site: Site) -> None:
    """ "Revoke a Specific Session ... Returns { "success": true }", by token or by id."""
    user = site.user()
    mine, by_token, by_id = (site.session(user) for _ in range(3))
    client = site.client()
    for body in ({"token": by_token.token}, {"id": by_id.id}):
        answer = client.post("/revoke-session", json=body, headers=bearer(mine.token))
        assert answer.status_code == 200
        assert answer.json() == {"success": True}
        assert "set-cookie" not in answer.headers
    listed = client.get("/list-sessions", headers=bearer(mine.token)).json()["sessions"]
    assert [s["id"] for s in listed] == [mine.id]
    answer = client.post("/revoke-session", json={"id": mine.id}, headers=bearer(mine.token))
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert client.get("/get-session", headers=bearer(mine.token)).status_code == 401


def test_revoking_what_is_not_ones_own(site: Site) -> None:
    """Another user's, an unknown and an expired session are answered like success, and stay."""
    me, you = site.user(), site.user("b@example.com")
    expired = site.session(me, remember=False)
    site.clock.move(days=1)
    mine, yours = site.session(me), site.session(you)
    client = site.client()
    for body in (
        {"token": yours.token},
        {"id": yours.id},
        {"token": "session_unknown"},
        {"id": "unknown"},
        {"token": expired.token},
    ):
        answer = client.post("/revoke-session", json=body, headers=bearer(mine.token))
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert client.get("/get-session", headers=bearer(yours.token)).status_code == 200


@pytest.mark.parametrize("body", [{}, {"token": "a", "id": "b"}, {"token": None}, {"token": 5}])
def test_revoke_session_needs_one_of_two(site: Site, body: object) -> None:
    """The body names the session by token or by id, not both and not neither."""
    mine = site.session(site.user())
    answer = site.client().post("/revoke-session", json=body, headers=bearer(mine.token))
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"


def test_revoke_sessions(site: Site) -> None:
    """ "Revokes all sessions for the user, including the current one: { "count": 3 }"."""
    user = site.user()
    site.session(user, remember=False)
    site.clock.move(days=1)
    sessions = [site.session(user) for _ in range(3)]
    other = site.session(site.user("b@example.com"))
    client = site.client()
    answer = client.post("/revoke-sessions", headers=bearer(sessions[0].token))
    assert answer.json() == {"count": 3}
    assert "Max-Age=0" in answer.headers["set-cookie"]
    for session in sessions:
        assert client.get("/get-session", headers=bearer(session.token)).status_code == 401
    assert client.get("/get-session", headers=bearer(other.token)).status_code == 200


def test_revoke_other_sessions(site: Site) -> None:
    """ "Revokes all sessions except the current one: { "count": 2 }"."""
    user = site.user()
    current, *others = (site.session(user) for _ in range(3))
    client = site.client()
    answer = client.post("/revoke-other-sessions", headers=bearer(current.token))
    assert answer.json() == {"count": 2}
    assert client.get("/get-session", headers=bearer(current.token)).status_code == 200
    for session in others:
        assert client.get("/get-session", headers=bearer(session.token)).status_code == 401


def test_no_cap_on_listing_and_revoking(site: Site) -> None:
    """ "No cap at 100 rows anywhere: listing or revoking 5,000 sessions ... is complete"."""

    async def many() -> str:
        user = await site.auth.users.create(name="Ada", email="ada@example.com")
        for _ in range(49):
            await asyncio.gather(*(site.auth.sessions.create(user) for _ in range(100)))
        await asyncio.gather(*(site.auth.sessions.create(user) for _ in range(99)))
        return (await site.auth.sessions.create(user)).token

    token = site.run(many())
    client = site.client()
    client.timeout = 60
    listed = client.get("/list-sessions", headers=bearer(token)).json()["sessions"]
    assert len({s["token"] for s in listed}) == 5_000
    assert client.post("/revoke-sessions", headers=bearer(token)).json() == {"count": 5_000}


def test_enable_session_listing(site_with: MakeSite) -> None:
    """ "enable_session_listing ... Allow listing all user sessions"; off: 404."""
    site = site_with(
        plugins=[EmailPasswordPlugin(), SessionManagementPlugin(enable_session_listing=False)]
    )
    token = site.session(site.user()).token
    assert site.client().get("/list-sessions", headers=bearer(token)).status_code == 404
    assert site.client().get("/get-session", headers=bearer(token)).status_code == 200


def test_enable_session_revocation(site_with: MakeSite) -> None:
    """ "enable_session_revocation ... Allow revoking sessions"; off: 404, sign-out stays."""
    site = site_with(
        plugins=[EmailPasswordPlugin(), SessionManagementPlugin(enable_session_revocation=False)]
    )
    headers = bearer(site.session(site.user()).token)
    for path in ("/revoke-session", "/revoke-sessions", "/revoke-other-sessions"):
        assert site.client().post(path, headers=headers, json={}).status_code == 404
    assert site.client().post("/sign-out", headers=headers).json() == {"success": True}


def test_require_authentication(site_with: MakeSite) -> None:
    """ "require_authentication ... Require auth for all endpoints"; off: emptiness, no 401."""
    site = site_with(
        plugins=[EmailPasswordPlugin(), SessionManagementPlugin(require_authentication=False)]
    )
    kept = site.session(site.user())
    client = site.client()
    assert client.get("/get-session").json() == {"session": None, "user": None}
    assert client.get("/list-sessions").json() == {"sessions": []}
    assert client.post("/sign-out").json() == {"success": True}
    answer = client.post("/revoke-session", json={"token": kept.token})
    assert answer.json() == {"success": False}
    assert client.post("/revoke-sessions").json() == {"count": 0}
    assert client.post("/revoke-other-sessions").json() == {"count": 0}
    assert client.get("/get-session", headers=bearer(kept.token)).json()["user"] is not None


def test_bearer_wins_and_does_not_fall_back(site: Site) -> None:
    """Bearer wins over the cookie, and a wrong Bearer does not fall back to it."""
    mine, yours = site.session(site.user()), site.session(site.user("b@example.com"))
    ask = site.client().get
    cookie = {"Cookie": f"{COOKIE}={mine.token}"}
    both = ask("/get-session", headers=cookie | bearer(yours.token))
    assert both.json()["session"]["id"] == yours.id
    for wrong in ("Bearer session_wrong", "bearer", "BEARER x", "Bearer a b"):
        answer = ask("/get-session", headers=cookie | {"Authorization": wrong})
        assert answer.status_code == 401, wrong
    basic = ask("/get-session", headers=cookie | {"Authorization": "Basic YTpi"})
    assert basic.json()["session"]["id"] == mine.id
    for scheme in ("bearer", "BEARER", "BeArEr"):
        answer = ask("/get-session", headers={"Authorization": f"{scheme} {mine.token}"})
        assert answer.status_code == 200


def test_multiple_sessions(site: Site) -> None:
    """ "Users can have multiple active sessions across devices"."""
    first, second = site.browser(), site.browser()
    first.sign_up()
    second.sign_in()
    assert first.get("/get-session").status_code == 200
    ids = [s["id"] for s in second.get("/list-sessions").json()["sessions"]]
    assert len(set(ids)) == 2
