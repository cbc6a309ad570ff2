"""What SQLite answers past SQLAlchemy's engine: single rows, a user's sessions, rows written."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from better_auth.adapters import SqlDatabaseAdapter
from better_auth.errors import DatabaseUnavailable, UniqueViolation
from better_auth.models import Account, Session, User
from tests.unit.test_adapters import NOW, opened, session, user


async def _ids(database: SqlDatabaseAdapter, user_id: str = "user-1") -> list[str]:
    return [found.id for found in await database.live_sessions(user_id, NOW)]


def test_a_listing_is_remembered_only_while_nothing_is_committed(tmp_path: Path) -> None:
    """The listing shows what this or another process committed, with the very next call."""
    path = tmp_path / "test.db"

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{path}")) as database:
            await database.insert(user(1))
            assert await _ids(database) == []
            await database.insert(session(1))
            await database.insert(session(2, created_at=NOW + timedelta(seconds=1)))
            await database.insert(session(3, expires_at=NOW))
            assert await _ids(database) == ["session-2", "session-1"]
            first, second = [await database.live_sessions("user-1", NOW) for _ in range(2)]
            assert first[0] is second[0], "nothing was committed: the record is the same"
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("DELETE FROM session WHERE id = 'session-2'")
            assert await _ids(database) == ["session-1"]
            other.close()
            await database.delete(Session, user_id="user-1")
            assert await _ids(database) == []

    asyncio.run(work())


def test_the_end_of_a_session_needs_no_commit(tmp_path: Path) -> None:
    """What is remembered of a user is not listed past its end."""

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{tmp_path}/test.db")) as database:
            await database.insert(user(1))
            await database.insert(session(1))
            end = session(1).expires_at
            for now, count in ((NOW, 1), (end - timedelta(milliseconds=1), 1), (end, 0)):
                assert len(await database.live_sessions("user-1", now)) == count

    asyncio.run(work())


def test_one_row_by_what_is_unique(tmp_path: Path) -> None:
    """A row is found by its id, by a unique field and by unique fields together, and only so."""
    account = Account(
        id="account-1",
        user_id="user-1",
        provider_id="credential",
        account_id="user-1",
        created_at=NOW,
        updated_at=NOW,
    )

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{tmp_path}/test.db")) as database:
            await database.insert(user(1, image=None))
            await database.insert(account)
            assert await database.find_one(User, id="user-1") == user(1)
            assert await database.find_one(User, email="u1@example.com") == user(1)
            assert await database.find_one(User, email="u1@example.com", image="x") is None
            assert await database.find_one(User, email="u1@example.com", image=None) == user(1)
            by_three = {"account_id": "user-1", "provider_id": "credential", "user_id": "user-1"}
            assert await database.find_one(Account, **by_three) == account
            assert await database.find_one(Account, provider_id="credential") == account
            assert await database.find_one(Account, **by_three | {"user_id": "user-2"}) is None
            with pytest.raises(KeyError):
                await database.find_one(User, id="user-1", nonsense="x")

    asyncio.run(work())


def test_a_transaction_reads_what_it_wrote(tmp_path: Path) -> None:
    """Inside a transaction its own rows are seen, and nobody else sees them before its end."""

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{tmp_path}/test.db")) as database:
            async with database.transaction() as verbs:
                await verbs.insert(user(1))
                assert await verbs.find_one(User, id="user-1") == user(1)
                assert await database.find_one(User, id="user-1") is None
            assert await database.find_one(User, id="user-1") == user(1)

    asyncio.run(work())


def test_writers_take_turns(tmp_path: Path) -> None:
    """Rows written by themselves and transactions at once all arrive; a taken value is refused."""

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{tmp_path}/test.db")) as database:

            async def together(number: int) -> None:
                async with database.transaction() as verbs:
                    await verbs.insert(user(number))

            alone = (database.insert(user(number)) for number in range(1, 15))
            await asyncio.gather(*alone, *(together(number) for number in range(15, 29)))
            assert await database.count(User) == 28
            with pytest.raises(UniqueViolation):
                await database.insert(user(3, id="another"))
            await database.insert(user(29))  # the refusal has left the connection usable

    asyncio.run(work())


def test_a_full_disk(tmp_path: Path) -> None:
    """A row that cannot be written is refused as an outage, and the next one is tried anew."""

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{tmp_path}/test.db")) as database:
            await database.insert(user(1))
            assert database._shortcut is not None
            await database._shortcut.write("PRAGMA max_page_count = 1", ())
            with pytest.raises(DatabaseUnavailable):
                for number in range(2, 29):
                    await database.insert(user(number, image="x" * 2000))
            assert await database.find_one(User, id="user-1") == user(1)
            await database._shortcut.write("PRAGMA max_page_count = 1000000", ())
            await database.insert(user(28))

    asyncio.run(work())
