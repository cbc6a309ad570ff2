"""What is answered past SQLAlchemy's engine: SQLite's single rows, a user's sessions, rows written;
PostgreSQL's verbs."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from better_auth.adapters import SqlDatabaseAdapter, in_, le, ne
from better_auth.adapters.hot_reads import REMEMBERED_ROWS, KnownRows
from better_auth.adapters.prepared import MANY
from better_auth.errors import DatabaseUnavailable, UniqueViolation
from better_auth.models import Account, Session, User
from tests import databases
from tests.unit.test_adapters import NOW, opened, session, user

LATER = NOW + timedelta(seconds=1)


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


needs_postgresql = pytest.mark.skipif(
    "postgresql" not in databases.kinds(), reason="NOT TESTED on postgresql: no server"
)


def _beside_another(
    work: Callable[[SqlDatabaseAdapter, SqlDatabaseAdapter], Awaitable[None]],
) -> None:
    """Carry out ``work`` with two adapters of one database on PostgreSQL."""

    async def both(url: str) -> None:
        async with (
            opened(SqlDatabaseAdapter(url)) as database,
            opened(SqlDatabaseAdapter(url)) as other,
        ):
            await work(database, other)

    with databases.new_database("postgresql") as url:
        asyncio.run(both(url))


@needs_postgresql
def test_the_same_row_is_the_same_record() -> None:
    """PostgreSQL is asked for every listing; a row that it gave before is the record it was, one
    that anybody changed is another."""

    async def work(database: SqlDatabaseAdapter, other: SqlDatabaseAdapter) -> None:
        await database.insert(user(1))
        await database.insert(session(1))
        await database.insert(session(2, created_at=NOW + timedelta(seconds=1)))
        first = await database.live_sessions("user-1", NOW)
        first[0].__dict__["token"] = "noted"
        again = await database.live_sessions("user-1", NOW)
        assert [one is two for one, two in zip(first, again, strict=True)] == [True, True]
        await other.update(Session, {"user_agent": "x"}, id="session-2")
        changed, same = await database.live_sessions("user-1", NOW)
        assert (changed.user_agent, changed.token) == ("x", "")
        assert same is first[1]
        await other.delete(Session, id="session-1")
        assert await _ids(database) == ["session-2"]
        await other.insert(session(3))
        assert await _ids(database) == ["session-2", "session-3"]

    _beside_another(work)


@needs_postgresql
def test_a_listing_is_what_there_is() -> None:
    """A user's rows are not read again while they are the versions they were, which any change
    makes other ones: also by hand, one that says nothing of itself, and the clock's."""

    async def work(database: SqlDatabaseAdapter, _: SqlDatabaseAdapter) -> None:
        async def change(statement: str) -> None:
            async with database.writing() as connection:
                await connection.exec_driver_sql(statement)

        await database.insert(user(1))
        await database.insert(user(2))
        for number in (1, 2, 3):
            await database.insert(session(number, created_at=NOW + timedelta(seconds=number)))
        first = await database.live_sessions("user-1", NOW)
        first.clear()  # whose list it is
        assert await _ids(database) == ["session-3", "session-2", "session-1"]
        await change("UPDATE session SET user_agent = 'x' WHERE id = 'session-2'")
        found = await database.live_sessions("user-1", NOW)
        assert [one.user_agent for one in found] == [None, "x", None]
        await change("UPDATE session SET user_id = 'user-2' WHERE id = 'session-3'")
        assert await _ids(database) == ["session-2", "session-1"]
        assert await _ids(database, "user-2") == ["session-3"]
        await change("UPDATE session SET expires_at = created_at WHERE id = 'session-1'")
        assert await _ids(database) == ["session-2", "session-1"]
        assert [one.id for one in await database.live_sessions("user-1", LATER)] == ["session-2"]
        await change("ALTER TABLE session RENAME TO sessions_kept")
        await change("CREATE VIEW session AS SELECT * FROM sessions_kept")
        for _ in range(2):
            assert await _ids(database, "user-2") == ["session-3"]
        await change("UPDATE session SET user_id = 'user-1'")
        assert await _ids(database, "user-2") == []

    _beside_another(work)


@needs_postgresql
def test_what_a_check_reads_again_is_the_same() -> None:
    """PostgreSQL is asked at every check; session and user are the records they were, until anybody
    has changed either."""

    async def work(database: SqlDatabaseAdapter, other: SqlDatabaseAdapter) -> None:
        await database.insert(user(1))
        await database.insert(session(1))
        first = await database.session_with_user("key-1")
        assert first is not None
        assert await database.session_with_user("key-1") is first
        await other.update(User, {"name": "New"}, id="user-1")
        renamed = await database.session_with_user("key-1")
        assert renamed is not None
        assert renamed.user.name == "New"
        await other.update(Session, {"user_agent": "x"}, id="session-1")
        changed = await database.session_with_user("key-1")
        assert changed is not None
        assert (changed.session.user_agent, changed.holder) == ("x", None)
        await other.update(Session, {"token_key": "key-2"}, id="session-1")
        assert await database.session_with_user("key-1") is None
        await other.delete(Session, id="session-1")
        assert await database.session_with_user("key-2") is None

    _beside_another(work)


def test_known_rows_are_bounded() -> None:
    """The oldest go; what is gone is made again."""
    known = KnownRows[list[object]](lambda row: list(row), 0)
    first = known.record(("id", 1))
    for number in range(REMEMBERED_ROWS):
        known.record((f"id-{number}", number))
    assert len(known) == REMEMBERED_ROWS
    assert known.record(("id", 1)) is not first


@needs_postgresql
def test_conditions_of_every_shape() -> None:
    """The same rows are meant whether a statement is kept for the conditions or not."""

    async def work(url: str) -> None:
        async with opened(SqlDatabaseAdapter(url)) as database:
            for number in range(1, MANY + 2):
                await database.insert(user(number, image="x" if number % 2 else None))
            assert await database.count(User, image=None, created_at=le(NOW)) == 0
            assert await database.count(User, image=ne(None)) == (MANY + 2) // 2
            for count in (0, 1, 8, MANY, MANY + 1):
                ids = [f"user-{number}" for number in range(1, count + 1)]
                where = {"id": in_(ids), "name": ne("Nobody")}
                assert await database.count(User, **where) == count
                assert await database.update(User, {"name": "New", "image": None}, **where) == count
                assert await database.count(User, name="New", image=None) == count
            taken = await database.take(User, name="New", limit=3)
            assert len(taken) == 3
            assert await database.delete(User, id=in_([one.id for one in taken])) == 0
            assert await database.delete(User, name="New") == MANY - 2
            with pytest.raises(KeyError):
                await database.update(User, {"name": "x"}, nonsense="x")

    with databases.new_database("postgresql") as url:
        asyncio.run(work(url))
