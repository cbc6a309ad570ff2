"""A clock that is wrong for a while, back or ahead: nobody is let in who is out, nothing breaks.

"Clock moved back and forward."
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.conftest import Site
from tests.support import PASSWORD, bearer

MakeSite = Callable[..., Site]
JUMPS = [-3650.0, -1.0, -0.01, 0.01, 1.5, 6.9]
"""Days within which a session lives on."""


@pytest.fixture
def site(site_with: MakeSite, is_cached: bool) -> Site:
    """An application, with sessions in memory or without."""
    return site_with(session={"cache": {"enabled": is_cached}})


def test_moved_about(site: Site) -> None:
    """Wherever the clock jumps, who is in stays in, who was ended stays out, signing in, listing
    and revoking work, and nothing fails."""
    user = site.user()
    kept, revoked = site.session(user).token, site.session(user).token
    client = site.client()
    begun = site.clock.now

    def status(token: str) -> int:
        return client.get("/get-session", headers=bearer(token)).status_code

    client.post("/revoke-session", json={"token": revoked}, headers=bearer(kept))
    for days in [*JUMPS, *reversed(JUMPS)]:
        site.clock.now = begun + timedelta(days=days)
        assert (status(kept), status(revoked)) == (200, 401), days
        new = site.session(user).token
        assert status(new) == 200
        listed = client.get("/list-sessions", headers=bearer(kept)).json()["sessions"]
        assert {kept, new} <= {one["token"] for one in listed}
        ended = client.post("/revoke-session", json={"token": new}, headers=bearer(kept))
        assert ended.json() == {"success": True}
        assert status(new) == 401
        site.clock.now = begun
        assert (status(kept), status(new)) == (200, 401)


def test_ahead_for_a_moment(site: Site) -> None:
    """A clock that jumps past every end signs nobody out for good: checks delete nothing, and
    what is ended meanwhile stays ended when the clock is right again."""
    user = site.user()
    token, ended = site.session(user).token, site.session(user).token
    client = site.client()
    site.clock.move(days=30)
    for each in (token, ended):
        assert client.get("/get-session", headers=bearer(each)).status_code == 401
    other = site.session(user).token
    client.post("/revoke-session", json={"token": ended}, headers=bearer(other))
    site.clock.move(days=-30)
    assert client.get("/get-session", headers=bearer(token)).status_code == 200
    assert client.get("/get-session", headers=bearer(ended)).status_code == 401


def test_a_refresh_in_the_future(site_with: MakeSite) -> None:
    """What a clock ahead has extended ends at its absolute end, however the clock moves after."""
    site = site_with(session={"max_lifetime": timedelta(days=10)})
    session = site.session(site.user())
    client = site.client()
    site.clock.move(days=6)
    assert client.get("/get-session", headers=bearer(session.token)).status_code == 200
    site.clock.move(days=-6)
    found = client.get("/get-session", headers=bearer(session.token)).json()
    assert found["session"]["expiresAt"] <= "2024-01-11T00:00:00.000Z"
    site.clock.move(days=10)
    assert client.get("/get-session", headers=bearer(session.token)).status_code == 401


def test_the_rate_limit_is_not_moved(site_with: MakeSite) -> None:
    """A clock that jumps neither gives nor takes attempts."""
    site = site_with(rate_limit={"enabled": True})
    body = {"email": "no@example.com", "password": PASSWORD}
    statuses = []
    for days in (0, 5, -10, 20, -40):
        site.clock.move(days=days)
        statuses.append(site.client().post("/sign-in/email", json=body).status_code)
    assert statuses == [401, 401, 401, 429, 429]
