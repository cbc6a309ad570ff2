"""What changes in PostgreSQL, as it happens: triggers that notify, and a listener.

The triggers are the database's, so a change counts whoever makes it: this process, another, or a
person in ``psql``. PostgreSQL delivers notifications in the order of their commits. With each beat
the listener looks whether the triggers still are where they should be, without which nothing would
be told.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from better_auth.adapters.feed import BEATS, ListeningFeed
from better_auth.adapters.schema import shortened
from better_auth.adapters.session_cache import Name, SessionCache

_CHANNEL = "'better_auth_' || left(md5({schema}), 16)"
CHANNEL = _CHANNEL.format(schema="current_schema()")
"""Where the triggers of the tables that a connection finds notify."""
GREETING = "here"
"""What is said where the database is asked, to be heard where it is listened to."""
_IN_ONE_NOTIFICATION = 100
_LONGEST = 7900
"""Bytes; PostgreSQL refuses 8000, and with them the change."""


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
        SELECT CASE WHEN bool_or(strpos(id, ' ') > 0) OR sum(octet_length(id) + 2) > {_LONGEST}
                    THEN '*' ELSE string_agg(TG_ARGV[0] || id, ' ') END
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


@dataclass(frozen=True, slots=True)
class Trigger:
    """What tells of one kind of change to one table."""

    name: str
    table: str
    statement: str
    """Makes it."""

    @property
    def always(self) -> str:
        """Has it fire for whoever writes, a replay of changes made elsewhere included."""
        return f'ALTER TABLE "{self.table}" ENABLE ALWAYS TRIGGER "{self.name}"'


def triggers_of(sessions: sa.Table, users: sa.Table) -> list[Trigger]:
    """All that there should be."""
    made = []
    for table, letter in ((sessions, "s"), (users, "u")):
        function = _function_of(table.c.id.name)
        for operation, rows in (
            ("update", "REFERENCING OLD TABLE AS old_rows "),
            ("delete", "REFERENCING OLD TABLE AS old_rows "),
            ("truncate", ""),
        ):
            name = shortened(f"better_auth_{table.name}_{operation}")
            statement = (
                f'CREATE TRIGGER "{name}" AFTER {operation.upper()} ON "{table.name}" {rows}'
                f"FOR EACH STATEMENT EXECUTE FUNCTION \"{function}\"('{letter}')"
            )
            made.append(Trigger(name, table.name, statement))
    return made


_PRESENT = """\
SELECT relname, tgname, tgenabled = 'A' FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal"""

_FIRING = """\
SELECT count(*) FROM unnest($1::text[], $2::text[]) AS wanted(in_table, name)
JOIN pg_class ON relname = in_table AND relnamespace = current_schema()::regnamespace
JOIN pg_trigger ON tgrelid = pg_class.oid AND tgname = name AND tgenabled IN ('O', 'A')"""


class NothingIsTold(Exception):
    """The connection hears nothing of what changes, and why."""


class PostgresFeed(ListeningFeed):
    """What PostgreSQL tells, by its notifications."""

    _interruptions = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, NothingIsTold)

    def __init__(
        self,
        cache: SessionCache,
        connect: Callable[[], Awaitable[Any]],
        notify: Callable[[str], Awaitable[None]] | None,
        on_change: Callable[[], None],
    ) -> None:
        """``connect`` opens a connection of asyncpg's that stays with one session of the server's
        (past a pooler in transaction mode, not through it). Where it need not lead to what is
        asked, ``notify`` sends a notification from there: the channel is ours and the suffix it is
        given."""
        super().__init__(cache, on_change)
        self._connect = connect
        self._notify = notify
        self._greeted = asyncio.Event()
        self._triggers: Sequence[Trigger] = ()

    def start(self, sessions: sa.Table, users: sa.Table) -> None:
        """Begin to listen, in the background."""
        self._triggers = triggers_of(sessions, users)
        self.listen()

    async def missing(
        self, connection: AsyncConnection, sessions: sa.Table, users: sa.Table
    ) -> list[str]:
        """What makes the functions and the triggers that are not there yet, or do not fire."""
        found = await connection.execute(sa.text(_PRESENT))
        present = {(table, name): is_always for table, name, is_always in found}
        missing = []
        for trigger in triggers_of(sessions, users):
            is_always = present.get((trigger.table, trigger.name))
            if is_always is None:
                missing.append(trigger.statement)
            if not is_always:
                missing.append(trigger.always)
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
        channel = await connection.fetchval(f"SELECT {CHANNEL}")
        suffix = uuid4().hex[:16]
        own = f"{channel}_{suffix}"
        lost = asyncio.Event()

        def interrupted(_connection: object) -> None:
            self._cache.stand_aside()
            lost.set()

        connection.add_termination_listener(interrupted)
        await connection.add_listener(channel, self._heard)
        await connection.add_listener(own, self._beaten)
        if self._notify is not None:
            await self._be_greeted(self._notify, suffix)
        self._begin()
        wanted = (
            [trigger.table for trigger in self._triggers],
            [trigger.name for trigger in self._triggers],
        )
        while not lost.is_set():
            beat = self._next_beat()
            if await connection.fetchval(_FIRING, *wanted) != len(self._triggers):
                raise NothingIsTold("triggers are missing or disabled: `better-auth migrate`")
            await connection.execute("SELECT pg_notify($1, $2)", own, beat)
            try:
                await asyncio.wait_for(lost.wait(), self._cache.max_staleness / BEATS)
            except TimeoutError:
                continue
        raise asyncpg.InterfaceError("the listening connection was closed")

    async def _be_greeted(self, notify: Callable[[str], Awaitable[None]], suffix: str) -> None:
        """Hear what is said where the database is asked. Raises :class:`NothingIsTold`."""
        self._greeted.clear()
        await notify(suffix)
        try:
            await asyncio.wait_for(self._greeted.wait(), self._cache.max_staleness)
        except TimeoutError:
            raise NothingIsTold(
                "session.cache.listen_url leads to another database or schema than the database's"
            ) from None

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        if payload == "*":
            self._cache.clear()
        else:
            names: list[Name] = [(_KINDS[name[0]], name[1:]) for name in payload.split(" ")]  # type: ignore[misc]
            self._cache.forget(names)
        self._on_change()

    def _beaten(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        if payload == GREETING:
            self._greeted.set()
        self._arrived(payload)
