"""The audit trail: everything that matters is in it, nothing secret is, and it stands in no way."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from better_auth import AuthConfig, ConfigurationError, User
from better_auth.endings import Change
from better_auth.plugins import AdminPlugin, AuditPlugin, EmailPasswordPlugin
from better_auth.plugins.audit import AuditEvent
from tests import databases
from tests.conftest import Site
from tests.support import PASSWORD, SECRET, Browser, bearer, every_plugin, make_auth

MakeSite = Callable[..., Site]
ROOT = "/admin/"


def trail(site: Site, user_id: str) -> list[AuditEvent]:
    """A user's events, the oldest first."""
    return site.run(site.auth.plugin(AuditPlugin).events_for(user_id))[::-1]


def kinds(events: list[AuditEvent]) -> list[str]:
    """What happened, details included."""
    return [f"{event.type} {event.detail or ''}".strip() for event in events]


def listed(browser: Browser, **query: Any) -> list[dict[str, Any]]:
    """A user's own list."""
    answer = browser.get("/list-security-events", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["events"])


class Audited:
    """A site with every plugin, an admin (Ada) and a user (Bob) with a session each."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ada = site.user(fields={"role": "admin"})
        self.bob = site.user("bob@example.com")
        self.ada_token = site.session(self.ada).token
        self.bob_token = site.session(self.bob).token

    def post(self, path: str, body: Any = None, token: str | None = None) -> Any:
        """POST as Ada, or as whoever ``token`` is."""
        headers = bearer(token or self.ada_token) | {"User-Agent": "tests"}
        answer = self.site.client().post(path, json=body or {}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def last(self, user: User) -> AuditEvent:
        """The latest event of a user."""
        return trail(self.site, user.id)[-1]


@pytest.fixture
def audited(site_with: MakeSite) -> Audited:
    """A site with every plugin, and two users."""
    return Audited(site_with(plugins=every_plugin()))


def test_a_life(site_with: MakeSite) -> None:
    """Sign-up, a failed sign-in, a session more, its revocation, in the order they happened."""
    site = site_with(plugins=every_plugin())
    first, second = site.browser(), site.browser()
    user_id = first.sign_up().json()["user"]["id"]
    second.sign_in(password="wrong")
    second.http.headers["User-Agent"] = "Second/1.0"
    second.sign_in()
    session_id = second.get("/get-session").json()["session"]["id"]
    first.post("/revoke-other-sessions")
    first.post("/sign-out")
    events = trail(site, user_id)
    assert kinds(events) == [
        "user.created",
        "account.created credential",
        "session.created",
        "sign_in.failed email: wrong password",
        "session.created",
        "session.revoked",
        "session.revoked",
    ]
    assert {event.actor_id for event in events} == {None}
    assert {event.ip_address for event in events} == {"127.0.0.1"}
    created, revoked = events[4:6]
    assert (created.session_id, created.user_agent) == (session_id, "Second/1.0")
    assert revoked.session_id == session_id
    assert revoked.user_agent == first.http.headers["User-Agent"], "who did it, not who it was"


def test_who_did_it(audited: Audited) -> None:
    """ "actor_id (who did it if not the user)": an admin is named in what happens to others."""
    bob = {"userId": audited.bob.id}
    new = {"name": "New", "email": "new@example.com", "password": PASSWORD}
    for path, body, kind in [
        ("revoke-user-sessions", bob, "session.revoked"),
        ("set-role", {**bob, "role": "admin"}, "security.changed role changed"),
        ("set-user-password", {**bob, "newPassword": PASSWORD}, "security.changed password reset"),
        ("ban-user", bob, "security.changed banned"),
        ("remove-user", bob, "user.deleted"),
    ]:
        audited.post(ROOT + path, body)
        event = audited.last(audited.bob)
        assert kinds([event]) == [kind]
        assert event.actor_id == audited.ada.id
        assert (event.ip_address, event.user_agent) == ("127.0.0.1", "tests")
    user_id = audited.post(ROOT + "create-user", new)["user"]["id"]
    assert {event.actor_id for event in trail(audited.site, user_id)} == {audited.ada.id}
    audited.post(ROOT + "revoke-all-sessions")
    assert (audited.last(audited.ada).type, audited.last(audited.ada).actor_id) == (
        "session.revoked",
        None,
    )


def test_impersonation(audited: Audited) -> None:
    """Both ends, with the admin's id, and what is done in between is the admin's doing."""
    own = audited.site.session(audited.bob)
    begun = audited.post(ROOT + "impersonate-user", {"userId": audited.bob.id})["session"]
    audited.post("/revoke-session", {"id": own.id}, begun["token"])
    audited.post(ROOT + "stop-impersonating", token=begun["token"])
    again = audited.post(ROOT + "impersonate-user", {"userId": audited.bob.id})["session"]
    audited.post("/revoke-sessions", token=audited.bob_token)
    events = trail(audited.site, audited.bob.id)
    started, revoked, ended, restarted, *rest = events[-6:]
    assert kinds(events[-6:-2]) == [
        "impersonation.started",
        "session.revoked",
        "impersonation.ended",
        "impersonation.started",
    ]
    assert {(e.type, e.session_id) for e in rest} >= {("impersonation.ended", again["id"])}
    assert revoked.session_id == own.id
    assert started.session_id == ended.session_id == begun["id"]
    assert restarted.session_id == again["id"]
    assert {e.actor_id for e in (started, revoked, ended, restarted)} == {audited.ada.id}


@pytest.mark.parametrize("shown", [False, True])
def test_impersonations_show_where_they_are_listed(site_with: MakeSite, shown: bool) -> None:
    """ "An impersonation ... does not show in the user's own listing", unless it is to."""
    plugins = [EmailPasswordPlugin(), AdminPlugin(show_impersonations=shown), AuditPlugin()]
    site = site_with(plugins=plugins)
    audited, browser = Audited(site), site.browser()
    browser.sign_up("cy@example.com")
    user_id = listed(browser)[0]["userId"]
    audited.post(ROOT + "impersonate-user", {"userId": user_id})
    types = {event["type"] for event in listed(browser)}
    assert ("impersonation.started" in types) is shown
    assert types >= {"user.created", "session.created"}


@pytest.mark.parametrize(
    "path",
    [
        "/two-factor/enable",
        "/two-factor/disable",
        "/two-factor/get-totp-uri",
        "/two-factor/generate-backup-codes",
        "/delete-user",
    ],
)
def test_passwords_tried_with_a_stolen_session(audited: Audited, path: str) -> None:
    """Wherever a session's holder is asked for the password, a wrong one shows in the trail."""
    headers = bearer(audited.bob_token)
    answer = audited.site.client().post(path, json={"password": "wrong"}, headers=headers)
    assert answer.status_code == 400
    assert kinds([audited.last(audited.bob)]) == ["sign_in.failed password: wrong password"]


def test_nobody(site_with: MakeSite) -> None:
    """A failed sign-in of nobody is noted, without the address that was tried."""
    site = site_with(plugins=every_plugin())
    assert site.browser().sign_in("nobody@example.com").status_code == 401
    (event,) = site.run(site.auth.plugin(AuditPlugin).latest())
    assert kinds([event]) == ["sign_in.failed email: unknown user"]
    assert (event.user_id, event.actor_id, event.ip_address) == (None, None, "127.0.0.1")
    assert "nobody@" not in repr(event)


def test_somebody_elses_cookie_is_no_actor(site_with: MakeSite) -> None:
    """Who signs in with another's session still in the browser does so for themselves."""
    site = site_with(plugins=every_plugin())
    site.browser().sign_up("bob@example.com")
    browser = site.browser()
    browser.sign_up()
    user_id = browser.sign_in("bob@example.com").json()["user"]["id"]
    assert {event.actor_id for event in trail(site, user_id)} == {None}


@pytest.mark.databases("sqlite")
def test_nothing_secret(site_with: MakeSite, tmp_path: Path) -> None:
    """ "Nothing secret (no tokens, passwords, hashes, e-mail addresses ...) is stored"."""
    site = site_with(plugins=every_plugin(), database=f"sqlite:///{tmp_path}/test.db")
    browser = site.browser()
    tokens = [browser.sign_up().json()["token"], browser.sign_in().json()["token"]]
    browser.sign_in(password="guessed at random")
    browser.sign_in("nobody@example.com")
    browser.post("/revoke-sessions")
    rows = sqlite3.connect(tmp_path / "test.db").execute("SELECT * FROM audit_event").fetchall()
    assert len(rows) == 8
    text = json.dumps(rows)
    for secret in (*tokens, PASSWORD, "guessed at random", "$argon2", "@example.com"):
        assert secret not in text


@pytest.mark.parametrize("setting", [timedelta(days=30), timedelta(days=365)])
def test_it_outlives_the_user_and_ends_with_its_retention(
    site_with: MakeSite, setting: timedelta
) -> None:
    """ "the trail outlives the user"; after ``audit_retention``, or the plugin's own, it is neither
    told nor kept."""
    own = None if setting == timedelta(days=30) else timedelta(days=30)
    plugins = [EmailPasswordPlugin(), AuditPlugin(retention=own)]
    site = site_with(plugins=plugins, audit_retention=setting)
    user = site.user()
    site.clock.move(days=1)
    site.run(site.auth.users.delete(user))
    assert kinds(trail(site, user.id)) == ["user.created", "user.deleted"]
    site.clock.move(days=29)
    assert kinds(trail(site, user.id)) == ["user.deleted"]

    async def purge() -> None:
        async for _ in site.auth.sessions.purge():
            """As the application does every hour."""

    site.run(purge())
    assert site.run(site.auth.database.count(AuditEvent)) == 1
    event = trail(site, user.id)[0]
    assert event.expires_at - event.created_at == timedelta(days=30)


def test_a_retention_of_nothing_is_refused() -> None:
    """A year unless said otherwise; nothing at all is a mistake."""
    assert AuthConfig(SECRET).audit_retention == timedelta(days=365)
    with pytest.raises(ConfigurationError, match="retention"):
        AuditPlugin(retention=timedelta(0))


def test_pages(site_with: MakeSite) -> None:
    """Newest first, ``limit`` at a time; with ``beforeId`` nothing of one instant is missed."""
    site = site_with(plugins=every_plugin())
    browser = site.browser()
    browser.sign_up()
    for _ in range(3):
        site.clock.move(seconds=1)
        browser.sign_in(password="wrong")
    everything = listed(browser)
    assert [event["type"] for event in everything] == ["sign_in.failed"] * 3 + [
        "session.created",
        "account.created",
        "user.created",
    ]
    assert everything[0]["createdAt"] == "2024-01-01T00:00:03.000Z"
    assert "expiresAt" not in everything[0]
    assert listed(browser, before="2024-01-01T00:00:02Z") == everything[2:]
    assert listed(browser, before="2024-01-01T01:00:02+01:00", limit=1) == everything[2:3]
    for limit in (1, 2, 4, 6):
        pages: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": limit}
        while page := listed(browser, **query):
            assert len(page) <= limit
            pages += page
            query |= {"before": page[-1]["createdAt"], "beforeId": page[-1]["id"]}
        assert pages == everything


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": wrong} for wrong in ("0", "101", "-1", "x", "", "1.5")),
        *({"before": wrong} for wrong in ("x", "2024-01-01T00:00:00", "", "2024-13-01T00:00:00Z")),
        *({"before": f"{end}:00"} for end in ("9999-12-31T23:59:59-01", "0001-01-01T00:00:00+01")),
        {"beforeId": "x" * 65},
    ],
)
def test_wrong_pages(site_with: MakeSite, query: dict[str, str]) -> None:
    """400 for what is no page, an instant that no clock can show included."""
    site = site_with(plugins=every_plugin())
    headers = bearer(site.session(site.user()).token)
    answer = site.client().get("/list-security-events", params=query, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


def test_ones_own_only(audited: Audited) -> None:
    """401 for nobody; nobody is shown what happened to somebody else."""
    get = audited.site.client().get
    assert get("/list-security-events").status_code == 401
    for user, token in ((audited.ada, audited.ada_token), (audited.bob, audited.bob_token)):
        answer = get("/list-security-events", headers=bearer(token))
        assert {event["userId"] for event in answer.json()["events"]} == {user.id}


def test_a_trail_that_cannot_be_written(
    site_with: MakeSite, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """ "A failure to write the trail must not fail what it records; it is logged"."""
    site = site_with(plugins=every_plugin(), database=database_url)
    databases.execute(database_url, "DROP TABLE audit_event")
    with caplog.at_level(logging.ERROR, "better_auth"):
        browser = site.browser()
        assert browser.sign_up().status_code == 200
        assert browser.sign_in(password="wrong").status_code == 401
        assert browser.post("/revoke-sessions").json() == {"count": 1}
    for event in ("UserCreated", "SessionCreated", "SignInFailed", "SessionsRevoked"):
        assert f"a handler of {event} failed" in caplog.text
    assert PASSWORD not in caplog.text


def test_in_process() -> None:
    """Without HTTP the event itself is all there is, and that is written."""
    auth = make_auth(plugins=every_plugin())

    async def work() -> None:
        async with auth.lifespan():
            user = await auth.users.create(name="Ada", email="ada@example.com")
            await auth.sessions.create(user)
            await auth.sessions.end_after(Change.PASSWORD_RESET, user.id)
            events = await auth.plugin(AuditPlugin).events_for(user.id)
            assert kinds(events)[::-1] == [
                "user.created",
                "session.created",
                "session.revoked",
                "security.changed password reset",
            ]
            assert {(e.ip_address, e.actor_id) for e in events} == {(None, None)}

    asyncio.run(work())
