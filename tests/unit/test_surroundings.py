"""What is around a database changes nothing: the folder a process works in, a server's mode."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from better_auth import User
from better_auth.adapters import SqlDatabaseAdapter, sqlite
from better_auth.errors import BadRequest, DatabaseUnavailable
from tests import databases
from tests.support import PATIENCE, make_auth
from tests.unit.test_adapters import MODELS, opened, user


def test_another_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path names the same file for good, though a server goes to another folder, as
    one that becomes a daemon does: new connections open no other database."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    monkeypatch.chdir(first)
    auth = make_auth(database="sqlite:///auth.db")

    async def work() -> None:
        async with auth.lifespan():
            someone = await auth.users.create(name="Ada", email="ada@example.com")
            monkeypatch.chdir(second)
            finding = [auth.database.find(User, name="Ada") for _ in range(8)]
            assert await asyncio.gather(*finding) == [[someone]] * 8
            assert await auth.sessions.create(someone)

    asyncio.run(work())
    assert (first / "auth.db").exists()
    assert list(second.iterdir()) == []


@pytest.mark.parametrize("by", ["nothing", "a backup"])
def test_a_file_deleted_or_replaced(
    tmp_path: Path, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a server would write to a file that is no longer there is not taken to be kept, and no
    request is answered from another file than the next; the log says why, and a start mends it."""
    path, backup = tmp_path / "auth.db", tmp_path / "backup.db"
    auth = make_auth(database=f"sqlite:///{path}")

    async def work() -> None:
        async with auth.lifespan():
            someone = await auth.users.create(name="Ada", email="ada@example.com")
            with closing(sqlite3.connect(path)) as other:
                other.execute("VACUUM INTO ?", (str(backup),))
            await auth.users.create(name="Ada", email="b@example.com")
            for end in ("", "-wal", "-shm"):
                os.unlink(f"{path}{end}")
            if by == "a backup":
                backup.rename(path)
            with pytest.raises(DatabaseUnavailable):
                await auth.sessions.create(someone)
            with pytest.raises(DatabaseUnavailable):
                await auth.users.create(name="Eve", email="eve@example.com")
            finding = [auth.database.find(User, name="Ada") for _ in range(8)]
            found = await asyncio.gather(*finding, return_exceptions=True)
            assert {type(one) for one in found} <= {list, DatabaseUnavailable}
            assert {len(one) for one in found if isinstance(one, list)} <= {2}
        assert "was deleted or replaced" in caplog.text
        async with auth.lifespan():
            left = await auth.database.count(User)
            assert left == (1 if by == "a backup" else 0)
            assert await auth.users.create(name="Eve", email="eve@example.com")

    asyncio.run(work())


@pytest.mark.skipif("mysql" not in databases.kinds(), reason="NOT TESTED on mysql: no server")
@pytest.mark.parametrize("mode", ["NO_ENGINE_SUBSTITUTION", "", "ANSI"])
def test_mysql_without_strict_mode(mode: str) -> None:
    """A server that would cut what is too long refuses it all the same."""

    async def work(url: str) -> None:
        async with opened(
            SqlDatabaseAdapter(f"{url}?sql_mode='{mode}'", patience=PATIENCE)
        ) as database:
            with pytest.raises(BadRequest):
                await database.insert(user(1, email="a" * 319 + "@example.com"))
            await database.insert(user(1, name='it\'s \\ "here"'))
            assert await database.find_one(User, id="user-1") == user(1, name='it\'s \\ "here"')

    with databases.new_database("mysql") as url:
        asyncio.run(work(url))


def test_another_process_migrates_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "any number of hosts may start at once: they take turns", even where a large table keeps
    one of them longer than any other change may wait."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.2)
    path = tmp_path / "auth.db"

    async def work() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA journal_mode = WAL")
            other.execute("BEGIN IMMEDIATE")
            other.execute("CREATE TABLE other (id INTEGER)")
            database = SqlDatabaseAdapter(f"sqlite:///{path}")
            database.bind(MODELS)
            migration = asyncio.create_task(database.migrate())
            await asyncio.sleep(0.6)
            assert not migration.done()
            other.execute("COMMIT")
            assert await migration
            await database.close()

    asyncio.run(work())
