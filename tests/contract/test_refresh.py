"""The sliding end of a session: when it moves, how far, and who is told."""

from collections.abc import Callable
from typing import Any

import pytest

from better_auth import AuthConfig
from better_auth.errors import Forbidden
from better_auth.events import SessionUpdated, SessionUpdating
from better_auth.models import Session
from tests.conftest import Site
from tests.support import COOKIE, SECRET, bearer, session_cookie


def get_session(site: Site, token: str) -> dict[str, Any]:
    """The session ``/get-session`` answers to ``token``."""
    answer = site.client().get("/get-session", headers=bearer(token))
    assert answer.status_code == 200
    session: dict[str, Any] = answer.json()["session"]
    return session


def test_the_defaults() -> None:
    """ "`update_age` (1 day ...), `disable_refresh`, `max_lifetime` (absolute; None)"."""
    session = AuthConfig(SECRET).session
    assert session.update_age.total_seconds() == 86400
    assert session.disable_refresh is False
    assert session.max_lifetime is None


def test_moves_when_its_age_has_come(site: Site) -> None:
    """ "`update_age` (1 day; sliding expiry written at most once per age ...)"."""
    token = site.session(site.user()).token
    site.clock.move(days=1, milliseconds=-1)
    before = get_session(site, token)
    assert before["expiresAt"] == "2024-01-08T00:00:00.000Z"
    assert before["updatedAt"] == "2024-01-01T00:00:00.000Z"
    site.clock.move(milliseconds=1)
    after = get_session(site, token)
    assert after["expiresAt"] == "2024-01-09T00:00:00.000Z"
    assert after["updatedAt"] == "2024-01-02T00:00:00.000Z"
    assert after["createdAt"] == "2024-01-01T00:00:00.000Z"
    assert (after["id"], after["token"]) == (before["id"], before["token"])


def test_written_once_per_age(site: Site) -> None:
    """ "written at most once per age by one conditional statement, never on each read"."""
    writes: list[Session] = []
    site.auth.events.add(SessionUpdated, lambda event: writes.append(event.session))
    token = site.session(site.user()).token
    client = site.client()
    for _ in range(4):
        for _ in range(5):
            client.get("/get-session", headers=bearer(token))
            client.get("/list-sessions", headers=bearer(token))
        site.clock.move(hours=12)
    assert len(writes) == 1
    site.clock.move(hours=12)
    for _ in range(3):
        client.get("/get-session", headers=bearer(token))
    assert len(writes) == 2


def test_a_session_in_use_never_ends(site: Site) -> None:
    """ "sliding expiry": used now and then, it outlives its first end many times over."""
    token = site.session(site.user()).token
    for _ in range(10):
        site.clock.move(days=6)
        get_session(site, token)
    site.clock.move(days=7)
    assert site.client().get("/get-session", headers=bearer(token)).status_code == 401


def test_the_cookie_is_sent_again(site: Site) -> None:
    """ "and the cookie re-sent when it moves": with the new end, and only then."""
    browser = site.browser()
    token = browser.sign_up().json()["token"]
    site.clock.move(hours=23)
    assert session_cookie(browser.get("/get-session")) is None
    site.clock.move(hours=1, seconds=30)
    cookie = session_cookie(browser.get("/get-session"))
    assert cookie is not None
    assert cookie["value"] == token
    assert cookie["max-age"] == "604800"
    assert cookie["expires"] == "Tue, 09 Jan 2024 00:00:30 GMT"
    assert session_cookie(browser.get("/get-session")) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/get-session"),
        ("POST", "/get-session"),
        ("GET", "/list-sessions"),
        ("POST", "/revoke-session"),
        ("POST", "/revoke-other-sessions"),
    ],
)
def test_whichever_endpoint_is_asked(site: Site, method: str, path: str) -> None:
    """ "the cookie re-sent when it moves": by every endpoint that leaves the session alive."""
    browser = site.browser()
    browser.sign_up()
    site.clock.move(days=2)
    cookie = session_cookie(browser.http.request(method, path, json={"id": "none"}))
    assert cookie is not None
    assert cookie["expires"] == "Wed, 10 Jan 2024 00:00:00 GMT"


@pytest.mark.parametrize("path", ["/sign-out", "/revoke-sessions"])
def test_a_session_just_ended_is_not_sent_again(site: Site, path: str) -> None:
    """ "cleared ... by sign-out, revoke-sessions": also on the very request on which a refresh was
    due, in one single Set-Cookie line."""
    browser = site.browser()
    browser.sign_up()
    site.clock.move(days=2)
    cookie = session_cookie(browser.post(path))
    assert cookie is not None
    assert cookie["value"] == ""


def test_a_bearer_client_gets_no_cookie(site: Site) -> None:
    """ "the cookie re-sent when it moves": to who came with one."""
    token = site.session(site.user()).token
    site.clock.move(days=2)
    answer = site.client().get("/get-session", headers=bearer(token))
    assert answer.json()["session"]["expiresAt"] == "2024-01-10T00:00:00.000Z"
    assert session_cookie(answer) is None


def test_update_age_is_configurable(site_with: Callable[..., Site]) -> None:
    """ "`BETTER_AUTH_SESSION__UPDATE_AGE`": an hour here, and 0 for each use below."""
    site = site_with(session={"update_age": 3600, "expires_in": 7200})
    token = site.session(site.user()).token
    site.clock.move(minutes=59)
    assert get_session(site, token)["expiresAt"] == "2024-01-01T02:00:00.000Z"
    site.clock.move(minutes=1)
    assert get_session(site, token)["expiresAt"] == "2024-01-01T03:00:00.000Z"


def test_update_age_zero(site_with: Callable[..., Site]) -> None:
    """ "`update_age`": 0 moves it at each use, and at none where no time has passed."""
    site = site_with(session={"update_age": 0})
    token = site.session(site.user()).token
    assert get_session(site, token)["expiresAt"] == "2024-01-08T00:00:00.000Z"
    site.clock.move(milliseconds=1)
    assert get_session(site, token)["expiresAt"] == "2024-01-08T00:00:00.001Z"


def test_disable_refresh(site_with: Callable[..., Site]) -> None:
    """ "`disable_refresh`": its end is where it was at the beginning."""
    site = site_with(session={"disable_refresh": True})
    browser = site.browser()
    browser.sign_up()
    site.clock.move(days=6)
    answer = browser.get("/get-session")
    assert answer.json()["session"]["expiresAt"] == "2024-01-08T00:00:00.000Z"
    assert session_cookie(answer) is None
    site.clock.move(days=1)
    assert browser.get("/get-session").status_code == 401


def test_max_lifetime(site_with: Callable[..., Site]) -> None:
    """ "`max_lifetime` (absolute; None)": no refresh goes past it."""
    site = site_with(session={"max_lifetime": 10 * 86400})
    browser = site.browser()
    browser.sign_up()
    ends = []
    for _ in range(3):
        site.clock.move(days=3)
        answer = browser.get("/get-session")
        ends.append(answer.json()["session"]["expiresAt"])
    assert ends == ["2024-01-11T00:00:00.000Z"] * 3
    assert session_cookie(answer) is None, "once at its end it does not move, and is not re-sent"
    site.clock.move(days=1, milliseconds=-1)
    assert browser.get("/get-session").status_code == 200
    site.clock.move(milliseconds=1)
    assert browser.get("/get-session").status_code == 401


def test_max_lifetime_shorter_than_the_lifetime(site_with: Callable[..., Site]) -> None:
    """ "`max_lifetime` (absolute ...)": of the two ends the nearer counts, in the cookie too."""
    site = site_with(session={"max_lifetime": 3600})
    answer = site.browser().sign_up()
    cookie = session_cookie(answer)
    assert cookie is not None
    assert cookie["max-age"] == "3600"
    token = answer.json()["token"]
    assert get_session(site, token)["expiresAt"] == "2024-01-01T01:00:00.000Z"


def test_a_refresh_that_lost_to_a_revocation(site: Site) -> None:
    """ "by one conditional statement": a session revoked while its refresh is under way is not
    brought back; the answer is 401 and no cookie."""
    session = site.session(site.user())
    site.clock.move(days=2)

    async def revoke_meanwhile(event: SessionUpdating) -> None:
        await site.auth.sessions.revoke(event.session)

    site.auth.events.add(SessionUpdating, revoke_meanwhile)
    answer = site.client().get(
        "/get-session", headers={"Cookie": f"{COOKIE}={session.token}", "Origin": site.origin}
    )
    assert answer.status_code == 401
    assert session_cookie(answer) is None
    assert site.run(site.auth.database.count(Session)) == 0


def test_two_refreshes_at_once(site: Site) -> None:
    """ "written at most once per age by one conditional statement": of two that find it due one
    writes; the other is signed in all the same."""
    session = site.session(site.user())
    written: list[str] = []
    site.clock.move(days=2)

    async def another_first(event: SessionUpdating) -> None:
        if not written:
            written.append("inner")
            principal = await site.auth.sessions.resolve(session.token)
            assert principal is not None
            assert principal.refreshed

    site.auth.events.add(SessionUpdating, another_first)
    site.auth.events.add(SessionUpdated, lambda event: written.append("written"))
    answer = get_session(site, session.token)
    assert answer["expiresAt"] == "2024-01-10T00:00:00.000Z"
    assert written == ["inner", "written"]


def test_a_handler_may_refuse_a_refresh(site: Site) -> None:
    """ "a `before` may change or refuse": the session is then as it was, and not signed out."""
    token = site.session(site.user()).token

    def refuse(event: SessionUpdating) -> None:
        raise Forbidden("not today")

    site.auth.events.add(SessionUpdating, refuse)
    site.clock.move(days=2)
    assert get_session(site, token)["expiresAt"] == "2024-01-08T00:00:00.000Z"
