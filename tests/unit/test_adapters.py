"""Every verb, on a file and in memory; migrations; what a file's mode is."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest

from better_auth.adapters import (
    MemoryDatabaseAdapter,
    SqlDatabaseAdapter,
    contains,
    ends_with,
    ge,
    gt,
    in_,
    le,
    lt,
    ne,
    starts_with,
)
from better_auth.adapters.hot_reads import REMEMBERED
from better_auth.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    ReferenceViolation,
    UniqueViolation,
)
from better_auth.models import Account, Column, Found, Session, User, Verification
from tests import databases

NOW = datetime(2024, 1, 1, tzinfo=UTC)
MODELS = [User, Session, Account, Verification]
Test = Callable[[SqlDatabaseAdapter], Coroutine[Any, Any, None]]


def user(number: int, **more: Any) -> User:
    """The ``number``-th user."""
    values = {
        "id": f"user-{number}",
        "name": f"Name {number}",
        "email": f"u{number}@example.com",
        "created_at": NOW.replace(day=number),
        "updated_at": NOW,
    }
    return User(**{**values, **more})


@asynccontextmanager
async def opened(database: SqlDatabaseAdapter) -> AsyncIterator[SqlDatabaseAdapter]:
    """``database`` with its tables."""
    database.bind(MODELS)
    await database.migrate()
    await database.connect()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture(params=["file", *databases.kinds_for(__name__)])
def check(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Test], None]]:
    """Runs a test against each kind of database."""
    with ExitStack() as stack:

        def run(test: Test) -> None:
            url = (
                f"sqlite:///{tmp_path / 'a.db'}"
                if request.param == "file"
                else stack.enter_context(databases.new_database(request.param))
            )

            async def work() -> None:
                async with opened(SqlDatabaseAdapter(url)) as database:
                    await test(database)

            asyncio.run(work())

        yield run


def test_find(check: Callable[[Test], None]) -> None:
    """Conditions, order, limit, offset and count."""

    async def work(db: SqlDatabaseAdapter) -> None:
        for number in range(1, 6):
            await db.insert(user(number, image="x" if number == 2 else None))

        async def ids(**query: Any) -> list[str]:
            return [found.id[-1] for found in await db.find(User, **query)]

        assert await ids(order_by="-created_at") == ["5", "4", "3", "2", "1"]
        assert await ids(order_by=("name", "id"), limit=2, offset=1) == ["2", "3"]
        assert await ids(id="user-3") == ["3"]
        assert await ids(id=ne("user-3"), order_by="id") == ["1", "2", "4", "5"]
        assert await ids(image=None, order_by="id") == ["1", "3", "4", "5"]
        assert await ids(image=ne(None)) == ["2"]
        third = NOW.replace(day=3)
        assert await ids(created_at=lt(third), order_by="id") == ["1", "2"]
        assert await ids(created_at=le(third), order_by="id") == ["1", "2", "3"]
        assert await ids(created_at=gt(third), order_by="id") == ["4", "5"]
        assert await ids(created_at=ge(third), order_by="id") == ["3", "4", "5"]
        assert await ids(id=in_(["user-1", "user-9"])) == ["1"]
        assert await ids(id=in_([])) == []
        assert await ids(order_by=("image", "id")) == ["1", "3", "4", "5", "2"]
        assert await ids(order_by=("-image", "-id")) == ["2", "5", "4", "3", "1"]
        assert await ids(name=contains("AME 4")) == ["4"]
        assert await ids(name=starts_with("name"), order_by="id", limit=1) == ["1"]
        assert await ids(email=ends_with("%")) == []
        await db.update(User, {"name": "Jürgen ÉCOLE"}, id="user-5")
        assert await ids(name=contains("JÜRGEN é")) == ["5"]
        assert await db.count(User, created_at=gt(third)) == 2
        assert await db.find_one(User, id="user-1") == user(1)
        assert await db.find_one(User, id="nobody") is None
        with pytest.raises(KeyError):
            await db.find(User, nonsense=1)

    check(work)


def test_writing(check: Callable[[Test], None]) -> None:
    """Writing verbs say how many rows; take gives them back."""

    async def work(db: SqlDatabaseAdapter) -> None:
        for number in range(1, 5):
            await db.insert(user(number))
        assert await db.update(User, {"name": "New"}, id=in_(["user-1", "user-2"])) == 2
        assert await db.update(User, {"name": "New"}, id="nobody") == 0
        assert await db.count(User, name="New") == 2
        assert await db.delete(User, id="user-1") == 1
        assert await db.delete(User, id="user-1") == 0
        taken = await db.take(User, limit=1, id="user-2")
        assert [(u.id, u.name) for u in taken] == [("user-2", "New")]
        assert await db.take(User, id="user-2") == []
        assert len(await db.take(User, limit=1)) == 1
        assert len(await db.take(User)) == 1

    check(work)


def test_violations(check: Callable[[Test], None]) -> None:
    """What is taken, and what refers to nothing."""

    async def work(db: SqlDatabaseAdapter) -> None:
        await db.insert(user(1))
        with pytest.raises(UniqueViolation):
            await db.insert(user(2, email="u1@example.com"))
        await db.insert(user(2))
        with pytest.raises(UniqueViolation):
            await db.update(User, {"email": "u1@example.com"}, id="user-2")
        orphan = Account(
            user_id="nobody",
            provider_id="credential",
            account_id="nobody",
            created_at=NOW,
            updated_at=NOW,
        )
        with pytest.raises(ReferenceViolation):
            await db.insert(orphan)
        with pytest.raises(ReferenceViolation):
            async with db.transaction() as verbs:
                await verbs.insert(orphan)
        mine = await db.insert(orphan.revised(user_id="user-1", account_id="a foreign key"))
        with pytest.raises(UniqueViolation):
            await db.insert(mine.revised(id="another"))
        assert await db.delete(User, id="user-1") == 1
        assert await db.count(Account) == 0

    check(work)


def test_transactions(check: Callable[[Test], None]) -> None:
    """All or nothing, and nobody sees half."""

    async def work(db: SqlDatabaseAdapter) -> None:
        with pytest.raises(RuntimeError):
            async with db.transaction() as verbs:
                await verbs.insert(user(1))
                assert await verbs.lock(User, "user-1")
                assert not await verbs.lock(User, "nobody")
                raise RuntimeError
        assert await db.count(User) == 0
        async with db.transaction() as verbs:
            await verbs.insert(user(1))
            await verbs.insert(user(2))
        assert await db.count(User) == 2

    check(work)


def test_take_is_given_once(check: Callable[[Test], None]) -> None:
    """Of any number who take a row at once, one receives it."""

    async def work(db: SqlDatabaseAdapter) -> None:
        await db.insert(user(1))
        takes = await asyncio.gather(*(db.take(User, id="user-1") for _ in range(50)))
        assert sorted(map(len, takes)) == [0] * 49 + [1]

    check(work)


def session(number: int, **more: Any) -> Session:
    """The ``number``-th session, of the first user."""
    values = {
        "id": f"session-{number}",
        "token_key": f"key-{number}",
        "user_id": "user-1",
        "expires_at": NOW.replace(day=8),
        "created_at": NOW,
        "updated_at": NOW,
        "authenticated_at": NOW,
    }
    return Session(**{**values, **more})


def test_hot_read(check: Callable[[Test], None]) -> None:
    """Session and user in one read, which shows every change as soon as it is committed."""

    async def work(database: SqlDatabaseAdapter) -> None:
        await database.insert(user(1))
        await database.insert(session(1))
        assert await database.session_with_user("key-1") == Found(session(1), user(1))
        assert await database.session_with_user("key-1") == Found(session(1), user(1))
        assert await database.session_with_user("key-2") is None
        await database.insert(session(2))
        assert await database.session_with_user("key-2") == Found(session(2), user(1))
        await database.update(User, {"name": "Grace"}, id="user-1")
        assert await database.session_with_user("key-1") == Found(session(1), user(1, name="Grace"))
        async with database.transaction() as verbs:
            await verbs.delete(Session, id="session-1")
            if database.url != "sqlite://":  # in memory, readers wait for the writer
                assert await database.session_with_user("key-1") is not None
        assert await database.session_with_user("key-1") is None
        await database.delete(User, id="user-1")
        assert await database.session_with_user("key-2") is None

    check(work)


def test_hot_read_sees_other_processes(tmp_path: Path) -> None:
    """What another connection to the file commits is seen by the very next read."""
    path = tmp_path / "test.db"

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{path}")) as database:
            await database.insert(user(1))
            await database.insert(session(1))
            other = sqlite3.connect(path, isolation_level=None)
            for name in ("Grace", "Edith", "Mary"):
                other.execute("UPDATE user SET name = ?", (name,))
                found = await database.session_with_user("key-1")
                assert found is not None
                assert found.user.name == name
            other.execute("DELETE FROM session")
            assert await database.session_with_user("key-1") is None
            other.close()

    asyncio.run(work())


def test_hot_read_of_many(tmp_path: Path) -> None:
    """More sessions than are remembered are all found, again and again."""

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{tmp_path}/test.db")) as database:
            await database.insert(user(1))
            async with database.transaction() as verbs:
                for number in range(REMEMBERED + 50):
                    await verbs.insert(session(number))
            for _ in range(2):
                for number in range(REMEMBERED + 50):
                    found = await database.session_with_user(f"key-{number}")
                    assert found is not None
                    assert found.session.id == f"session-{number}"

    asyncio.run(work())


class ListingUser(User):
    """A user whose record holds something that can be changed in place."""

    colours: list[str] = []


def test_hot_read_shares_nothing_mutable() -> None:
    """A record that could be changed in place is made anew for everyone who asks."""

    async def work() -> None:
        database = MemoryDatabaseAdapter()
        database.bind([ListingUser, Session])
        await database.migrate()
        await database.connect()
        await database.insert(ListingUser(**user(1).model_dump(), colours=["red"]))
        await database.insert(session(1))
        for _ in range(2):
            found = await database.session_with_user("key-1")
            assert found is not None
            assert isinstance(found.user, ListingUser)
            assert found.user.colours == ["red"]
            found.user.colours.append("blue")
        await database.close()

    asyncio.run(work())


class NewUser(User):
    """A later version of an application's user."""

    plan: Annotated[str, Column(length=20)] = "free"
    nickname: str | None = None


class StrictUser(User):
    """A version whose new field no existing row could have."""

    must: str


def test_migration(tmp_path: Path) -> None:
    """New columns come to rows already there; what could not be filled is refused by name."""
    url = f"sqlite:///{tmp_path / 'a.db'}"

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(url)) as db:
            await db.insert(user(1))
            assert await db.migrate() == await db.pending_migration() == []
        later = SqlDatabaseAdapter(url)
        later.bind([NewUser, *MODELS[1:]])
        planned = await later.pending_migration()
        assert len(planned) == 2
        assert await later.migrate() == planned
        found = await later.find_one(User, id="user-1")
        assert isinstance(found, NewUser)
        assert (found.plan, found.nickname) == ("free", None)
        await later.close()
        strict = SqlDatabaseAdapter(url)
        strict.bind([StrictUser, *MODELS[1:]])
        with pytest.raises(ConfigurationError, match=r"user\.must"):
            await strict.migrate()
        await strict.close()

    asyncio.run(work())
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o600


def test_rows_that_forbid_an_index(tmp_path: Path) -> None:
    """A unique index that rows already there violate is refused by its statement."""
    path = tmp_path / "a.db"

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{path}")) as db:
            await db.insert(user(1))
            with sqlite3.connect(path) as connection:
                connection.execute("DROP INDEX uq_user_email")
            await db.insert(user(2, email="u1@example.com"))
            with pytest.raises(ConfigurationError, match="uq_user_email"):
                await db.migrate()

    asyncio.run(work())


def test_other_tables_are_left_alone(tmp_path: Path) -> None:
    """A migration adds; it does not touch what it does not know."""
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
        connection.execute("INSERT INTO mine VALUES (1)")

    async def work() -> None:
        async with opened(SqlDatabaseAdapter(f"sqlite:///{path}")):
            pass

    asyncio.run(work())
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT x FROM mine").fetchall() == [(1,)]


def test_unreachable(tmp_path: Path) -> None:
    """A database that cannot be opened is DatabaseUnavailable, without the driver's words."""
    (tmp_path / "file").write_text("no database at all, and longer than a header" * 50)

    async def work() -> None:
        for path in (tmp_path / "file" / "below.db", tmp_path):
            database = SqlDatabaseAdapter(f"sqlite:///{path}")
            database.bind(MODELS)
            with pytest.raises(DatabaseUnavailable):
                await database.find(User)
            await database.close()

    asyncio.run(work())
