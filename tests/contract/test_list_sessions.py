"""``GET /list-sessions``: whose sessions, which of them, in what order."""

from collections.abc import Callable

from tests.conftest import Site
from tests.contract.test_get_session import SESSION_KEYS
from tests.support import bearer


def test_the_body(site: Site) -> None:
    """ "Returns all active sessions for the authenticated user: { "sessions": [ { "id", "token",
    "createdAt", ... } ] }"."""
    user = site.user()
    sessions = [site.session(user) for _ in range(2)]
    client = site.client()
    answer = client.get("/list-sessions", headers=bearer(sessions[0].token))
    assert answer.status_code == 200
    assert answer.json().keys() == {"sessions"}
    listed = answer.json()["sessions"]
    assert {row["id"]: row["token"] for row in listed} == {s.id: s.token for s in sessions}
    for row in listed:
        assert row.keys() == SESSION_KEYS
        own = client.get("/get-session", headers=bearer(row["token"])).json()["session"]
        assert row == own


def test_newest_first(site: Site) -> None:
    """ "A listing is newest first"."""
    user = site.user()
    ids = []
    for _ in range(4):
        ids.append(site.session(user).id)
        site.clock.move(milliseconds=1)
    token = site.session(user).token
    listed = site.client().get("/list-sessions", headers=bearer(token)).json()["sessions"]
    assert [row["id"] for row in listed][1:] == ids[::-1]
    assert listed[0]["token"] == token


def test_nobody_elses(site: Site) -> None:
    """ "Returns all active sessions for the authenticated user": and of no other."""
    ada, eve = site.user(), site.user("eve@example.com")
    for _ in range(3):
        site.session(ada)
    token = site.session(eve).token
    listed = site.client().get("/list-sessions", headers=bearer(token)).json()["sessions"]
    assert [row["userId"] for row in listed] == [eve.id]


def test_only_active_ones(site_with: Callable[..., Site]) -> None:
    """ "Returns all *active* sessions": an expired one is left out, a millisecond before it ends
    it is not."""
    site = site_with(session={"disable_refresh": True})
    user = site.user()
    old = site.session(user)
    site.clock.move(days=1)
    token = site.session(user).token

    def listed() -> list[str]:
        rows = site.client().get("/list-sessions", headers=bearer(token)).json()["sessions"]
        return [row["id"] for row in rows]

    site.clock.move(days=6, milliseconds=-1)
    assert old.id in listed()
    site.clock.move(milliseconds=1)
    assert old.id not in listed()
    assert len(listed()) == 1


def test_devices_are_told_apart(site: Site) -> None:
    """ "Multiple sessions: Users can have multiple active sessions across devices", and "IP
    tracking: Client IP and User-Agent are stored for audit purposes"."""
    phone, desk = site.browser(), site.browser()
    phone.http.headers["User-Agent"] = "Phone"
    desk.http.headers["User-Agent"] = "Desk"
    phone.sign_up()
    site.clock.move(seconds=1)
    desk.sign_in()
    listed = phone.get("/list-sessions").json()["sessions"]
    assert [(row["userAgent"], row["ipAddress"]) for row in listed] == [
        ("Desk", "127.0.0.1"),
        ("Phone", "127.0.0.1"),
    ]


def test_401(site: Site) -> None:
    """ "401 where the token is missing, invalid or expired"."""
    token = site.session(site.user()).token
    client = site.client()
    assert client.get("/list-sessions").status_code == 401
    assert client.get("/list-sessions", headers=bearer(token + "x")).status_code == 401
    site.clock.move(days=8)
    assert client.get("/list-sessions", headers=bearer(token)).status_code == 401
