"""The note of the latest commit: another after every commit, the same without one."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from better_auth.adapters.wal_index import wal_index_reader

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="maps are Linux's")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database in WAL mode, in a folder whose name needs care."""
    folder = tmp_path / "a folder: é, 100%"
    folder.mkdir()
    path = folder / "app.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    return path


@pytest.fixture
def watching(database: Path) -> Iterator[sqlite3.Connection]:
    """The connection that keeps the wal-index mapped."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=0)
    connection.execute("SELECT count(*) FROM t").fetchone()
    yield connection
    connection.close()


@pytest.fixture
def read(database: Path, watching: sqlite3.Connection) -> Callable[[], bytes]:
    """The reader."""
    reader = wal_index_reader(str(database))
    assert reader is not None
    return reader


def data_version(connection: sqlite3.Connection) -> int:
    """What SQLite itself has to say."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def test_another_process_commits(
    database: Path, watching: sqlite3.Connection, read: Callable[[], bytes]
) -> None:
    """A commit elsewhere shows at once, and every one of them does."""
    script = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for line in sys.stdin:\n"
        "    c.execute(line.strip()); print('done', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        seen = {read()}
        for number in range(200):
            other.stdin.write(f"INSERT INTO t VALUES ({number})\n")
            other.stdin.flush()
            assert other.stdout.readline() == "done\n"
            now = read()
            assert now not in seen, "a commit that does not show, or looks like an earlier one"
            seen.add(now)
            assert read() == now


def test_what_changes_no_row(
    database: Path, watching: sqlite3.Connection, read: Callable[[], bytes]
) -> None:
    """Reading and rolling back are no news; whatever SQLite counts as news is."""
    other = sqlite3.connect(database, isolation_level=None)
    before, version = read(), data_version(watching)
    other.execute("SELECT * FROM t").fetchall()
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO t VALUES (1)")
    other.execute("ROLLBACK")
    assert (read(), data_version(watching)) == (before, version)
    for statement in (
        "INSERT INTO t VALUES (1)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "INSERT INTO t VALUES (2)",
        "PRAGMA wal_checkpoint(RESTART)",
        "DELETE FROM t",
        "VACUUM",
        "CREATE TABLE u (y)",
        "PRAGMA user_version = 7",
    ):
        before, version = read(), data_version(watching)
        other.execute(statement).fetchall()
        if data_version(watching) != version:
            assert read() != before, statement
    other.close()


def test_stays_mapped(
    database: Path, watching: sqlite3.Connection, read: Callable[[], bytes]
) -> None:
    """While the watching connection is open, nobody can end WAL mode and with it the mapping."""
    other = sqlite3.connect(database, isolation_level=None, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("PRAGMA journal_mode = DELETE")
    other.close()
    before = read()
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("INSERT INTO t VALUES (1)")
    other.close()
    assert read() != before


def test_nothing_to_read(tmp_path: Path, database: Path) -> None:
    """No reader where the database is not open, not there, or not in WAL mode."""
    assert wal_index_reader(str(database)) is None
    assert wal_index_reader(str(tmp_path / "missing.db")) is None
    plain = sqlite3.connect(tmp_path / "plain.db", isolation_level=None)
    plain.execute("CREATE TABLE t (x)")
    assert wal_index_reader(str(tmp_path / "plain.db")) is None
    plain.close()


def test_the_path_may_be_a_link(tmp_path: Path, database: Path) -> None:
    """SQLite follows a symbolic link, and so does the reader."""
    link = tmp_path / "link.db"
    link.symlink_to(database)
    connection = sqlite3.connect(link, isolation_level=None)
    connection.execute("SELECT * FROM t").fetchall()
    assert wal_index_reader(str(link)) is not None
    connection.close()
