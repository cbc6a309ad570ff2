"""Sessions in Redis alone, or in the table too, turned into each other: what was revoked while one
of the two counted does not come back when the other does.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import databases
from tests.conftest import Site

DATABASES = [kind for kind in databases.kinds() if kind == "redis"]
MakeSite = Callable[..., Site]


@pytest.fixture
def ways(site_with: MakeSite, tmp_path: Path) -> dict[str, Callable[[], Site]]:
    """The same application, its sessions in one place or the other."""
    store = {"url": databases.redis_url(), "prefix": databases.new_prefix()}

    def served(**session: Any) -> Callable[[], Site]:
        return lambda: site_with(database=f"sqlite:///{tmp_path / 'auth.db'}", session=session)

    beside = served(store={**store, "keep_table": True})
    return {"table": served(), "alone": served(store=store), "beside": beside}


def count(site: Site) -> int:
    """How many sessions Ada has."""
    user = site.run(site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    return len(site.run(site.auth.sessions.list_for(user.id)))


@pytest.mark.parametrize(("before", "now"), [("table", "alone"), ("alone", "beside")])
def test_everybody_is_out(ways: dict[str, Callable[[], Site]], before: str, now: str) -> None:
    """More of them than are ended in one step, and none where it counts now."""
    then = ways[before]()
    user = then.user()
    for _ in range(5):
        then.session(user)
    site = ways[now]()
    assert site.run(site.auth.sessions.revoke_everyone(batch=2)) == 0
    assert count(ways[before]()) == 0


def test_with_one_that_has_expired(ways: dict[str, Callable[[], Site]]) -> None:
    """Whose row was all that the table held of a user."""
    then = ways["alone"]()
    user = then.user()
    then.session(user)
    site = ways["beside"]()
    site.session(user, lifetime=timedelta(seconds=5))
    site.clock.move(seconds=10)
    site.run(site.auth.sessions.revoke_all(user.id))
    assert count(ways["alone"]()) == 0
