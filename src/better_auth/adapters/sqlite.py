"""SQLite: a file in WAL mode, or a private database in memory.

Writers take turns, so that they never meet each other's locks within a process; between processes
SQLite's own busy timeout arbitrates. Readers have connections of their own and,
in WAL mode, never wait for a writer. The hot read runs on the event loop's thread: it takes a few
microseconds, and a hop to another thread would cost several times that.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from better_auth.adapters.backend import DatabaseBusy, Row, Shortcut
from better_auth.adapters.engines import make_engine
from better_auth.adapters.one_hop import OneHopConnection, connect
from better_auth.adapters.session_cache import SessionCache
from better_auth.adapters.wal_index import wal_index_reader

BUSY_TIMEOUT = 5.0
"""Seconds a statement waits for another process's lock before the database counts as busy."""

MIGRATION_ATTEMPTS = 12
"""How often a migration waits that long, for another process's."""

READERS = 4
"""Connections kept for reading, each with a thread of its own."""

_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SqliteBackend:
    """Engines and hot read for one SQLite database."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    patience: float | None = None
    returns_deleted = True

    def __init__(self, path: str | None) -> None:
        """``path`` names the file (made, readable by its owner only, if missing); None: memory.

        It means the same file for good, whatever folder the process works in later: connections
        are opened as they are needed.
        """
        path = path and os.path.abspath(path)
        self._in_memory = path is None
        self._path = path
        # In memory: the memdb file system, which connections of one process share by name.
        self._file = f"file:/better-auth-{uuid4().hex}" if path is None else f"file:{_quoted(path)}"
        self._query = {"vfs": "memdb"} if path is None else {}
        self._uri = f"{self._file}?{urlencode(self._query)}"
        self.writing = self._engine(connections=1)
        # Reads need no transaction, and so no rollback, each of which is a hop to a thread.
        self.reading = self._engine(
            connections=READERS,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_reset_on_return=None,
        )
        self._turns = asyncio.Lock()
        self._hot: sqlite3.Connection | None = None
        self._writer: OneHopConnection | None = None
        self._anchor = sqlite3.connect(self._uri, uri=True) if self._in_memory else None
        self._opened: os.stat_result | None = None

    def _engine(self, connections: int, **options: Any) -> AsyncEngine:
        engine = make_engine(
            sa.URL.create(
                "sqlite+aiosqlite", database=self._file, query={**self._query, "uri": "true"}
            ),
            connect_args={
                "isolation_level": None,
                "timeout": BUSY_TIMEOUT,
                "async_creator_fn": connect,
            },
            poolclass=AsyncAdaptedQueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=2 * BUSY_TIMEOUT,
            **options,
        )

        @sa.event.listens_for(engine.sync_engine, "do_connect")
        def create_file(*_arguments: object) -> None:
            self._create_file()

        @sa.event.listens_for(engine.sync_engine, "connect")
        def prepare(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            for statement in self._pragmas():
                cursor.execute(statement)
            cursor.close()
            connection.create_function("lower", 1, _lower, deterministic=True)
            if self._path is not None and self._opened is None:
                self._opened = os.stat(self._path)

        return engine

    def _create_file(self) -> None:
        """A database holds password hashes: its file begins as 0600, not as the umask has it.

        Raises ``OSError`` for what can be no database file. It is never opened to find out:
        closing it again would drop the locks SQLite holds on it in this process.
        """
        if self._path is None:
            return
        self._refuse_another()
        if not os.path.exists(self._path):
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        elif not os.path.isfile(self._path) or not os.access(self._path, os.R_OK):
            raise OSError(f"{self._path} is not a file that can be read")

    def _refuse_another(self) -> None:
        """Raises ``OSError`` where the file is no longer the one that connections have open: what
        they write to a file that was deleted or replaced is lost with them."""
        if self._path is None or self._opened is None:
            return
        try:
            is_same = os.path.samestat(os.stat(self._path), self._opened)
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise OSError(f"{self._path} was deleted or replaced while it was open; start again")

    def _pragmas(self) -> list[str]:
        pragmas = ["PRAGMA foreign_keys = ON", "PRAGMA cache_size = -32768"]
        if not self._in_memory:
            pragmas += ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"]
        return pragmas

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """The right to write, which one has at a time. Raises ``TimeoutError``."""
        patience = 2 * BUSY_TIMEOUT if self._turns.locked() else None  # a timer costs more
        async with asyncio.timeout(patience):
            await self._turns.acquire()
        try:
            self._refuse_another()
            yield
        finally:
            self._turns.release()

    @asynccontextmanager
    async def committing(self) -> AsyncIterator[AsyncConnection]:
        """The writing connection, when its turn has come."""
        async with self._turn(), self.writing.begin() as connection:
            yield connection

    def alone(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """The same: a statement outside BEGIN and COMMIT is committed by itself."""
        return self.committing()

    async def begin_writing(self, connection: AsyncConnection) -> None:
        """IMMEDIATE: the lock is taken, and waited for, before anything is read."""
        await connection.exec_driver_sql("BEGIN IMMEDIATE")

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """Any writing transaction keeps all others waiting, as long as a large table may take."""
        async with self.committing() as connection:
            for attempts_left in reversed(range(MIGRATION_ATTEMPTS)):
                try:
                    await self.begin_writing(connection)
                    break
                except sa.exc.OperationalError:
                    if not attempts_left:
                        raise
            yield connection

    def feed(
        self, cache: SessionCache, listen_url: str | None, on_change: Callable[[], None]
    ) -> None:
        """What the shortcut found is remembered, and every check asks whether it still holds."""

    def hot_read(self, statement: sa.Select[Any], key: sa.Column[str]) -> None:
        """The shortcut is faster."""

    def direct(self, on_wait: Callable[[str, float], None]) -> None:
        """The shortcut is faster."""

    def shortcut(self) -> Shortcut:
        connection = sqlite3.connect(
            self._uri, uri=True, isolation_level=None, timeout=0, check_same_thread=False
        )
        for pragma in self._pragmas():
            if "journal_mode" not in pragma:
                connection.execute(pragma)
        self._hot = connection
        execute = connection.execute
        execute_again = connection.cursor().execute

        def read(sql: str, parameters: Sequence[Any]) -> list[Row]:
            try:
                return execute(sql, parameters).fetchall()
            except sqlite3.OperationalError as error:
                raise _busy_or(error) from error

        def data_version() -> int:
            try:
                number: int = execute_again("PRAGMA data_version").fetchone()[0]
            except sqlite3.OperationalError as error:
                raise _busy_or(error) from error
            return number

        version: Callable[[], object] = data_version
        if self._path is not None:
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()  # maps the wal-index
            version = wal_index_reader(self._path) or data_version
        self._turns = asyncio.Lock()  # of the event loop that serves from now on
        return Shortcut(read, version, self._write)

    async def _write(self, sql: str, parameters: Sequence[Any]) -> None:
        async with self._turn():
            if self._writer is None:
                writer = connect(self._uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT)
                await writer
                for pragma in self._pragmas():
                    await writer.cursor().execute(pragma)
                self._writer = writer
            await self._writer.cursor().execute(sql, parameters)

    async def close(self) -> None:
        if self._hot is not None:
            self._hot.close()
            self._hot = None
        if self._writer is not None:
            writer, self._writer = self._writer, None
            await writer.close()
        await self.reading.dispose()
        await self.writing.dispose()
        self._opened = None


def _lower(text: Any) -> Any:
    """What searches ignore case by; SQLite's own knows no letters past ASCII."""
    return text.lower() if isinstance(text, str) else text


def _busy_or(error: sqlite3.OperationalError) -> Exception:
    return DatabaseBusy() if error.sqlite_errorcode & 0xFF in _BUSY_CODES else error


def _quoted(path: str) -> str:
    """``path`` as the path part of an SQLite URI."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
