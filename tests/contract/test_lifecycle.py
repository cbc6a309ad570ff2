"""A session's life: made, verified, expired; and that users keep several at once."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from better_auth.adapters import SqlDatabaseAdapter
from better_auth.events import SessionsExpired
from better_auth.models import Session
from tests.conftest import Site
from tests.support import bearer, make_auth, session_cookie


def status(site: Site, token: str) -> int:
    """What ``/get-session`` answers to ``token``."""
    return site.client().get("/get-session", headers=bearer(token)).status_code


def test_created_by_sign_up_and_sign_in(site: Site) -> None:
    """ "Creation: A session is created on successful sign-up, sign-in, ..." and "Sessions are
    created automatically during sign-up and sign-in"."""
    browser = site.browser()
    first = browser.sign_up().json()["token"]
    second = site.browser().sign_in().json()["token"]
    assert first != second
    assert status(site, first) == status(site, second) == 200


def test_none_created_by_a_failure(site: Site) -> None:
    """ "A session is created on *successful* sign-up, sign-in"."""
    browser = site.browser()
    browser.sign_up()
    assert site.browser().sign_up().status_code == 422
    assert site.browser().sign_in(password="wrong password").status_code == 401
    assert len(browser.get("/list-sessions").json()["sessions"]) == 1


def test_stored_in_the_database(site_with: Callable[..., Site], database_url: str) -> None:
    """ "Storage: The session token and metadata are stored in the database": another process, or
    the same after a restart, knows the session."""
    first = site_with(database=database_url)
    user = first.user()
    token = first.session(user).token
    body = first.client().get("/get-session", headers=bearer(token)).json()
    second = site_with(database=database_url)
    assert second.client().get("/get-session", headers=bearer(token)).json() == body


def test_transmitted_in_body_and_cookie(site: Site) -> None:
    """ "Transmission: The token is returned in the response body and set as a cookie"."""
    browser = site.browser()
    for make in (browser.sign_up, browser.sign_in):
        answer = make()
        cookie = session_cookie(answer)
        assert cookie is not None
        assert answer.json()["token"] == cookie["value"]
        assert cookie["value"].startswith("session_")


def test_verified_each_time(site: Site) -> None:
    """ "Validation: On each authenticated request, the token is verified against the database": a
    row deleted there, by whatever means, is a session ended."""
    session = site.session(site.user())
    assert status(site, session.token) == 200
    site.run(site.auth.database.delete(Session, id=session.id))
    assert status(site, session.token) == 401


@pytest.mark.parametrize("seconds", [1, 2, 3600, 90 * 86400])
def test_expires_after_the_configured_duration(
    site_with: Callable[..., Site], seconds: int
) -> None:
    """ "Expiration: Sessions automatically expire after the configured duration", and
    "session.expires_in Duration 7 days: Session lifetime"."""
    site = site_with(session={"expires_in": seconds, "disable_refresh": True})
    token = site.session(site.user()).token
    site.clock.move(seconds=seconds, milliseconds=-1)
    assert status(site, token) == 200
    site.clock.move(milliseconds=1)
    assert status(site, token) == 401


def test_expired_stays_expired(site: Site) -> None:
    """ "Sessions automatically expire": no later use brings one back, and its cookie neither."""
    browser = site.browser()
    token = browser.sign_up().json()["token"]
    site.clock.move(days=7)
    for _ in range(2):
        assert status(site, token) == 401
        assert browser.get("/list-sessions").status_code == 401
        assert browser.post("/revoke-other-sessions").status_code == 401


def test_revoked_by_the_api(site: Site) -> None:
    """ "Revocation: Sessions can be explicitly revoked via the API", and "Selective revocation:
    Revoke individual sessions, all sessions, or all except current"."""
    user = site.user()
    a, b, c, d = (site.session(user).token for _ in range(4))
    client = site.client()

    def live() -> list[int]:
        return [status(site, token) for token in (a, b, c, d)]

    client.post("/revoke-session", json={"token": b}, headers=bearer(a))
    assert live() == [200, 401, 200, 200]
    client.post("/revoke-other-sessions", headers=bearer(c))
    assert live() == [401, 401, 200, 401]
    client.post("/revoke-sessions", headers=bearer(c))
    assert live() == [401, 401, 401, 401]


def test_multiple_sessions(site: Site) -> None:
    """ "Multiple sessions: Users can have multiple active sessions across devices"."""
    user = site.user()
    tokens = [site.session(user).token for _ in range(5)]
    assert len(set(tokens)) == 5
    assert {status(site, token) for token in tokens} == {200}


def test_remembered_unless_told(site: Site) -> None:
    """ "`rememberMe: false` (browser-session cookie, 1 day on the server, not slid)": and without
    it, or with true, the whole lifetime."""
    browser = site.browser()
    made = [browser.sign_up(), browser.sign_in(), browser.sign_in(rememberMe=True)]
    for answer in made:
        cookie = session_cookie(answer)
        assert cookie is not None
        assert cookie["max-age"] == "604800"
    for row in browser.get("/list-sessions").json()["sessions"]:
        assert row["expiresAt"] == "2024-01-08T00:00:00.000Z"


@pytest.mark.parametrize("way", ["sign_up", "sign_in"])
def test_remember_me_false(site: Site, way: str) -> None:
    """ "`rememberMe: false` (browser-session cookie, 1 day on the server, not slid)"."""
    site.browser().sign_up("other@example.com")
    browser = site.browser()
    email = "ada@example.com" if way == "sign_up" else "other@example.com"
    answer = getattr(browser, way)(email, rememberMe=False)
    cookie = session_cookie(answer)
    assert cookie is not None
    assert not {"max-age", "expires"} & cookie.keys()
    session = browser.get("/get-session").json()["session"]
    assert session["expiresAt"] == "2024-01-02T00:00:00.000Z"
    site.clock.move(hours=23, minutes=59)
    used = browser.get("/get-session")
    assert used.json()["session"]["expiresAt"] == "2024-01-02T00:00:00.000Z", "not slid"
    assert session_cookie(used) is None
    site.clock.move(minutes=1)
    assert browser.get("/get-session").status_code == 401


def test_not_remembered_by_bearer_either(site_with: Callable[..., Site]) -> None:
    """ "not slid": the policy is the session's own, whichever way its token comes and however
    eagerly others slide."""
    site = site_with(session={"update_age": 0})
    token = site.session(site.user(), remember=False).token
    site.clock.move(hours=12)
    body = site.client().get("/get-session", headers=bearer(token)).json()
    assert body["session"]["expiresAt"] == "2024-01-02T00:00:00.000Z"


def test_evict_oldest(site_with: Callable[..., Site]) -> None:
    """ "`max_sessions_per_user` (None) with policy `evict-oldest`": the oldest makes room."""
    site = site_with(session={"max_sessions_per_user": 2})
    user, other = site.user(), site.user("eve@example.com")
    others = site.session(other).token
    tokens = []
    for _ in range(4):
        tokens.append(site.session(user).token)
        site.clock.move(seconds=1)
    assert [status(site, token) for token in tokens] == [401, 401, 200, 200]
    assert status(site, others) == 200


def test_refuse(site_with: Callable[..., Site]) -> None:
    """ "or `refuse`": the new one is refused until one of the old has ended."""
    site = site_with(session={"max_sessions_per_user": 2, "max_sessions_policy": "refuse"})
    first, second, third = site.browser(), site.browser(), site.browser()
    first.sign_up()
    assert second.sign_in().status_code == 200
    refused = third.sign_in()
    assert refused.status_code == 403
    assert refused.json()["code"] == "TOO_MANY_SESSIONS"
    assert session_cookie(refused) is None
    assert len(first.get("/list-sessions").json()["sessions"]) == 2
    second.post("/sign-out")
    assert third.sign_in().status_code == 200


@pytest.mark.parametrize("policy", ["evict-oldest", "refuse"])
def test_only_live_ones_count(site_with: Callable[..., Site], policy: str) -> None:
    """ "`max_sessions_per_user`": an expired session takes nobody's place."""
    site = site_with(session={"max_sessions_per_user": 1, "max_sessions_policy": policy})
    user = site.user()
    site.session(user)
    site.clock.move(days=7)
    token = site.session(user).token
    assert status(site, token) == 200


def test_no_limit_by_default(site: Site) -> None:
    """ "`max_sessions_per_user` (None)"."""
    assert site.auth.config.session.max_sessions_per_user is None
    user = site.user()
    tokens = [site.session(user).token for _ in range(30)]
    answer = site.client().get("/list-sessions", headers=bearer(tokens[0]))
    assert len(answer.json()["sessions"]) == 30


def test_fresh(site_with: Callable[..., Site]) -> None:
    """ "`fresh_age`": fresh until that long after credentials were proven, however the session is
    refreshed meanwhile."""
    site = site_with(session={"fresh_age": 600, "update_age": 0})
    sessions, token = site.auth.sessions, site.session(site.user()).token

    def is_fresh() -> bool:
        principal = site.run(sessions.resolve(token))
        assert principal is not None
        return sessions.is_fresh(principal.session)

    assert is_fresh()
    site.clock.move(seconds=599)
    assert is_fresh()
    site.clock.move(seconds=1)
    assert not is_fresh()


def test_fresh_age_zero_is_always_fresh(site_with: Callable[..., Site]) -> None:
    """ "`fresh_age`": 0 turns it off."""
    site = site_with(session={"fresh_age": 0})
    session = site.session(site.user())
    site.clock.move(days=6)
    assert site.auth.sessions.is_fresh(session)


def test_a_new_token_when_privileges_change(site: Site) -> None:
    """ "a new token on every change of privilege": the same session under another token, the old
    one dead at once, and fresh again where credentials were proven."""
    user = site.user()
    session = site.session(user)
    site.clock.move(days=2)
    rotated = site.run(site.auth.sessions.rotate(session, authenticated=True))
    assert rotated.token != session.token
    assert rotated.token.startswith("session_")
    assert (rotated.id, rotated.expires_at) == (session.id, session.expires_at)
    assert status(site, session.token) == 401
    assert status(site, rotated.token) == 200
    assert site.auth.sessions.is_fresh(rotated)
    listed = site.client().get("/list-sessions", headers=bearer(rotated.token)).json()["sessions"]
    assert [row["token"] for row in listed] == [rotated.token]


def test_expired_rows_are_purged_by_the_server(
    site_with: Callable[..., Site], database_url: str
) -> None:
    """ "Expired rows are purged in batches by a background task of the server"."""
    first = site_with(database=database_url)
    user = first.user()
    for _ in range(3):
        first.session(user, remember=False)
    first.clock.move(days=1)
    kept = first.session(user)

    second = site_with(database=database_url)
    deadline = time.monotonic() + 10
    while second.run(second.auth.database.count(Session)) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    left = second.run(second.auth.database.find(Session))
    assert [row.id for row in left] == [kept.id]
    assert status(first, kept.token) == 200


def test_purged_in_batches(clock: Any) -> None:
    """ "purged in batches": so many rows a statement, and nothing that is alive."""
    auth = make_auth(clock=clock, session={"purge_interval": None})
    expired: list[int] = []

    @auth.on(SessionsExpired)
    def note(event: SessionsExpired) -> None:
        expired.append(event.count)

    async def purge() -> tuple[list[int], int]:
        async with auth.lifespan():
            user = await auth.users.create(name="Ada", email="ada@example.com")
            for _ in range(7):
                await auth.sessions.create(user, remember=False)
            await auth.sessions.create(user)
            clock.move(days=1)
            assert await auth.sessions.count_expired() == 7
            batches = [gone async for gone in auth.sessions.purge(batch=3)]
            assert await auth.sessions.count_expired() == 0
            return batches, await auth.database.count(Session)

    batches, left = asyncio.run(purge())
    assert batches == [3, 3, 1]
    assert left == 1
    assert expired == [7]


def test_a_database_made_beforehand(tmp_path: Path) -> None:
    """ "SQLite in a file (created and migrated at start)": by the application itself, folders
    included."""
    path = tmp_path / "deep" / "er" / "auth.db"
    auth = make_auth(database=SqlDatabaseAdapter(f"sqlite:///{path}"))

    async def start() -> list[str]:
        async with auth.lifespan():
            return await auth.database.pending_migration()

    assert asyncio.run(start()) == []
    assert path.exists()
