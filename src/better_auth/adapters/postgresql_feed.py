"""What changes in PostgreSQL, as it happens: triggers that notify, and a listener.

The triggers are the database's, so a change counts whoever makes it: this process, another, or a
person in ``psql``. PostgreSQL delivers notifications in the order of their commits.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from better_auth.adapters.feed import BEATS, ListeningFeed
from better_auth.adapters.schema import shortened
from better_auth.adapters.session_cache import Name, SessionCache

_CHANNEL = "'better_auth_' || left(md5({schema}), 16)"
_IN_ONE_NOTIFICATION = 100
"""Ids of at most 65 bytes; a notification may hold 8000."""


def _function_of(id_column: str) -> str:
    """The name of the trigger function for tables whose ids are in this column."""
    return "better_auth_changed" if id_column == "id" else f"better_auth_changed_{id_column}"


def _function_statement(id_column: str) -> str:
    """What makes it."""
    return f"""\
CREATE OR REPLACE FUNCTION "{_function_of(id_column)}"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    channel text := {_CHANNEL.format(schema="TG_TABLE_SCHEMA")};
    names text;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_notify(channel, '*');
        RETURN NULL;
    END IF;
    FOR names IN
        SELECT string_agg(TG_ARGV[0] || id, ' ')
        FROM (SELECT "{id_column}" AS id,
                     (row_number() OVER () - 1) / {_IN_ONE_NOTIFICATION} AS part
              FROM old_rows) AS numbered
        GROUP BY part
    LOOP
        PERFORM pg_notify(channel, names);
    END LOOP;
    RETURN NULL;
END $$"""  # noqa: S608  (names that were checked)


_KINDS = {"s": "session", "u": "user"}


def trigger_statements(sessions: sa.Table, users: sa.Table) -> dict[str, str]:
    """The triggers by name, each as the statement that makes it."""
    made = {}
    for table, letter in ((sessions, "s"), (users, "u")):
        function = _function_of(table.c.id.name)
        for operation, rows in (
            ("update", "REFERENCING OLD TABLE AS old_rows "),
            ("delete", "REFERENCING OLD TABLE AS old_rows "),
            ("truncate", ""),
        ):
            name = shortened(f"better_auth_{table.name}_{operation}")
            made[name] = (
                f'CREATE TRIGGER "{name}" AFTER {operation.upper()} ON "{table.name}" {rows}'
                f"FOR EACH STATEMENT EXECUTE FUNCTION \"{function}\"('{letter}')"
            )
    return made


_PRESENT = sa.text(
    "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
    "WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal"
)


class PostgresFeed(ListeningFeed):
    """What PostgreSQL tells, by its notifications."""

    _interruptions = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

    def __init__(
        self,
        cache: SessionCache,
        connect: Callable[[], Awaitable[Any]],
        on_change: Callable[[], None],
    ) -> None:
        """``connect`` opens a connection of asyncpg's that stays with one session of the server's
        (past a pooler in transaction mode, not through it)."""
        super().__init__(cache, on_change)
        self._connect = connect

    async def missing(
        self, connection: AsyncConnection, sessions: sa.Table, users: sa.Table
    ) -> list[str]:
        """The functions and the triggers that are not there yet."""
        present = set((await connection.execute(_PRESENT)).scalars())
        triggers = trigger_statements(sessions, users)
        missing = [sql for name, sql in triggers.items() if name not in present]
        columns = sorted({sessions.c.id.name, users.c.id.name})
        return [*map(_function_statement, columns), *missing] if missing else []

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        connection = await self._connect()
        try:
            yield connection
        finally:
            connection.terminate()

    async def _follow(self, connection: Any) -> None:
        channel = await connection.fetchval(f"SELECT {_CHANNEL.format(schema='current_schema()')}")
        own = f"{channel}_{uuid4().hex[:16]}"
        lost = asyncio.Event()

        def interrupted(_connection: object) -> None:
            self._cache.stand_aside()
            lost.set()

        connection.add_termination_listener(interrupted)
        await connection.add_listener(channel, self._heard)
        await connection.add_listener(own, self._beaten)
        self._begin()
        while not lost.is_set():
            await connection.execute("SELECT pg_notify($1, $2)", own, self._next_beat())
            try:
                await asyncio.wait_for(lost.wait(), self._cache.max_staleness / BEATS)
            except TimeoutError:
                continue
        raise asyncpg.InterfaceError("the listening connection was closed")

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        if payload == "*":
            self._cache.clear()
        else:
            names: list[Name] = [(_KINDS[name[0]], name[1:]) for name in payload.split(" ")]  # type: ignore[misc]
            self._cache.forget(names)
        self._on_change()

    def _beaten(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        self._arrived(payload)
