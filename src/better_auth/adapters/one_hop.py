"""``aiosqlite`` with one hop to its thread a statement.

SQLAlchemy asks an asynchronous driver for a cursor, has it execute, fetches and closes, and
aiosqlite hops to the connection's thread for each of the four. On statements that take SQLite
microseconds the hops are most of the cost; here they are one.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Self

import aiosqlite
from aiosqlite.core import _STOP_RUNNING_SENTINEL

Parameters = Sequence[Any]


class OneHopCursor:
    """As much of a cursor as SQLAlchemy uses: all rows are fetched with the execution."""

    def __init__(self, connection: "OneHopConnection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Parameters = ()) -> Self:
        """Run ``sql`` and fetch what it answers. Raises what ``sqlite3`` raises."""
        await self._connection.run(self._run, sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Sequence[Parameters]) -> Self:
        """Run ``sql`` once for each of ``parameters``. Raises what ``sqlite3`` raises."""
        await self._connection.run(self._run_many, sql, parameters)
        return self

    def _run(self, sql: str, parameters: Parameters) -> None:
        cursor = self._connection._conn.execute(sql, parameters)
        self._rows = cursor.fetchall()
        self._note(cursor)

    def _run_many(self, sql: str, parameters: Sequence[Parameters]) -> None:
        self._note(self._connection._conn.executemany(sql, parameters))

    def _note(self, cursor: sqlite3.Cursor) -> None:
        self.description = cursor.description
        self.rowcount = cursor.rowcount
        self.lastrowid = cursor.lastrowid
        cursor.close()

    async def fetchall(self) -> list[Any]:
        """The rows of the last execution, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Nothing is held."""


class OneHopConnection(aiosqlite.Connection):
    """A connection whose cursors are :class:`OneHopCursor`; await it to open it."""

    def cursor(self) -> OneHopCursor:  # type: ignore[override]
        return OneHopCursor(self)

    async def run(self, work: Callable[..., None], *arguments: Any) -> None:
        """Have the connection's thread do ``work``, whose arguments aiosqlite would log."""

        def statement() -> None:
            work(*arguments)

        await self._execute(statement)  # type: ignore[no-untyped-call]

    def stop(self) -> asyncio.Future[Any] | None:
        """End the thread. Where the connection could not be opened nobody waits for that, and the
        event loop that aiosqlite would have the thread tell may be closed by then."""
        if self._connection is not None:
            return super().stop()
        self._running = False
        self._tx.put_nowait((None, lambda: _STOP_RUNNING_SENTINEL))
        return None


def connect(*arguments: Any, **options: Any) -> OneHopConnection:
    """A connection to be awaited; what is given goes to ``sqlite3.connect``.

    Its thread ends with the process, as SQLAlchemy has it for aiosqlite's own.
    """
    connection = OneHopConnection(lambda: sqlite3.connect(*arguments, **options), 64)
    connection._thread.daemon = True
    return connection
