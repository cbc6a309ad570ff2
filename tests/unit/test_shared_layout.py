"""Rows of a database shared with better-auth in TypeScript that lack what ours have: a missing
value counts as what it means, whichever verb asks."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from better_auth import Session, User
from better_auth.adapters import gt, in_, lt, ne
from better_auth.plugins import AdminPlugin, AnonymousPlugin, SessionManagementPlugin
from tests import databases
from tests.support import MovableClock, make_auth

LATER = datetime(2024, 1, 2, tzinfo=UTC)


@pytest.fixture(params=databases.kinds_for(__name__))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    with databases.kept_database(request.param, tmp_path) as url:
        yield url


def test_missing_values(url: str) -> None:
    """ "columns of ours may be empty, and empty ones read as what they mean": in conditions too."""

    async def work() -> None:
        auth = make_auth(
            database=url,
            clock=MovableClock(),
            plugins=[SessionManagementPlugin(), AdminPlugin(), AnonymousPlugin()],
            share_database_with_typescript=True,
        )
        async with auth.lifespan():
            db = auth.database
            user = await auth.users.create(name="Ada", email="ada@example.com")
            session = await auth.sessions.create(user)
            await db.update(User, {"role": None, "banned": None}, id=user.id)
            await db.update(Session, {"authenticated_at": None, "remember": None}, id=session.id)

            for asked in ({"id": user.id}, {"email": user.email}, {"name": "Ada"}):
                found = await db.find_one(User, **asked, role="user", banned=False)
                assert found is not None
                assert (found.id, found.role, found.banned) == (user.id, "user", False)
                assert await db.find_one(User, **asked, role="admin") is None
            assert await db.count(User, role="user") == 1
            assert await db.count(User, role=in_(["user", "admin"])) == 1
            assert await db.count(User, role=ne("user")) == 0
            assert await db.update(User, {"name": "Eve"}, role="user") == 1
            assert await db.count(Session, authenticated_at=lt(LATER), remember=True) == 1
            assert await db.delete(Session, authenticated_at=gt(LATER)) == 0
            assert len(await db.take(Session, authenticated_at=lt(LATER), remember=True)) == 1
            assert await db.delete(User, banned=False) == 1

    asyncio.run(work())
