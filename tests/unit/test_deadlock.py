"""Two changes that wait for each other: the database undoes one, which is tried again."""

import asyncio

import pytest

from better_auth.adapters import SqlDatabaseAdapter, in_
from better_auth.errors import DatabaseUnavailable
from better_auth.models import User
from tests import databases
from tests.support import PATIENCE
from tests.unit.test_adapters import opened, user

KINDS = [kind for kind in databases.kinds() if kind in ("postgresql", "mysql")]


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_is_undone_is_done_after_all(kind: str) -> None:
    """A change by itself that the database undoes for a deadlock is made once the other is."""

    async def work() -> None:
        with databases.new_database(kind) as url:
            async with opened(SqlDatabaseAdapter(url)) as database:
                for number in (1, 2):
                    await database.insert(user(number))
                async with database.transaction() as verbs:
                    # So much is changed here that it is the other that is undone.
                    for number in range(10, 25):
                        await verbs.insert(user(number))
                    await verbs.update(User, {"name": "first"}, id="user-2")
                    both = {"id": in_(["user-1", "user-2"])}
                    change = asyncio.create_task(database.update(User, {"image": "x"}, **both))
                    for _ in range(10):
                        await asyncio.wait([change], timeout=0.15)  # MySQL looks no more often
                        if await _is_waiting(database, kind):
                            break
                    assert not change.done(), "it waits for the second row"
                    await verbs.update(User, {"name": "first"}, id="user-1")
                assert await change == 2
                found = await database.find(User, order_by="id", **both)
                assert [(one.name, one.image) for one in found] == [("first", "x")] * 2

    asyncio.run(work())


async def _is_waiting(database: SqlDatabaseAdapter, kind: str) -> bool:
    """Whether some statement of this database waits for a row."""
    waiting = {
        "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
        "mysql": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
    }
    async with database.reading() as connection:
        return bool((await connection.exec_driver_sql(waiting[kind])).scalar())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_given_up_does_not_happen_later(kind: str) -> None:
    """A change that waited too long for another's lock is 503, and not made once that is gone."""

    async def work() -> None:
        with databases.new_database(kind) as url:
            async with (
                opened(SqlDatabaseAdapter(url, patience=PATIENCE)) as other,
                opened(SqlDatabaseAdapter(url, patience=1)) as hurried,
            ):
                await other.insert(user(1))
                async with other.transaction() as verbs:
                    await verbs.lock(User, "user-1")
                    with pytest.raises(DatabaseUnavailable):
                        await hurried.update(User, {"name": "late"}, id="user-1")
                # It would have been in the queue for the lock before this.
                assert await other.update(User, {"image": "x"}, id="user-1") == 1
                assert await other.find_one(User, id="user-1") == user(1, image="x")

    asyncio.run(work())
