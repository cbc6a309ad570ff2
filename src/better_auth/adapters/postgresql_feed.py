"""What changes in PostgreSQL, as it happens: triggers that notify, and a listener.

The triggers are the database's, so a change counts whoever makes it: this process, another, or a
person in ``psql``. PostgreSQL delivers notifications in the order of their commits. The listener
therefore sends itself one from time to time: when that arrives, everything committed before it
was sent has arrived as well.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from better_auth.adapters.schema import shortened
from better_auth.adapters.session_cache import Kind, SessionCache

logger = logging.getLogger("better_auth.database")

BEATS = 4
"""Proofs of life within ``max_staleness``: so many may be late before the cache stands aside."""

RETRY = 0.5
"""Seconds between attempts to listen again."""

_CHANNEL = "'better_auth_' || left(md5({schema}), 16)"
_IN_ONE_NOTIFICATION = 100
"""Ids of at most 65 bytes; a notification may hold 8000."""

_ALL = "*"
"""Told when anything may have changed."""


_KINDS: dict[str, Kind] = {"s": "session", "u": "user", "l": "listing"}

_FUNCTION = """
DECLARE
    channel text := {channel};
    names text;
BEGIN
    FOR names IN
        SELECT string_agg(name, ' ')
        FROM (SELECT name, (row_number() OVER () - 1) / {number} AS part
              FROM ({changed}) AS changed (name)) AS numbered
        GROUP BY part
    LOOP
        PERFORM pg_notify(channel, names);
    END LOOP;
    RETURN NULL;
END """
"""Tells the names of what one statement changed, some at a time."""

_OLD = "OLD TABLE AS old_rows"
_NEW = "NEW TABLE AS new_rows"


@dataclass(frozen=True, slots=True)
class _Trigger:
    """What tells of one operation on one table."""

    table: str
    operation: str
    rows: str
    """Which rows it is given."""
    changed: str
    """A query of the names it tells, each with the letter of its kind first."""

    @property
    def name(self) -> str:
        """Of the trigger and of its function."""
        return shortened(f"better_auth_{self.table}_{self.operation}")

    @property
    def source(self) -> str:
        """The function's body, by which its versions are told apart."""
        return _FUNCTION.format(
            channel=_CHANNEL.format(schema="TG_TABLE_SCHEMA"),
            number=_IN_ONE_NOTIFICATION,
            changed=self.changed,
        )

    def statements(self, *, replaces: bool) -> list[str]:
        """What makes it, in the place of an older one or anew."""
        drop = f'DROP TRIGGER "{self.name}" ON "{self.table}"'
        referencing = f"REFERENCING {self.rows} " if self.rows else ""
        return [
            f'CREATE OR REPLACE FUNCTION "{self.name}"() RETURNS trigger LANGUAGE plpgsql '
            f"AS $${self.source}$$",
            *([drop] if replaces else []),
            f'CREATE TRIGGER "{self.name}" AFTER {self.operation.upper()} ON "{self.table}" '
            f'{referencing}FOR EACH STATEMENT EXECUTE FUNCTION "{self.name}"()',
        ]


def _triggers(sessions: sa.Table, users: sa.Table) -> Iterator[_Trigger]:
    """Every session that changes is named, and who gains one; every user that changes."""
    session, owner, user = (
        column.name for column in (sessions.c.id, sessions.c.user_id, users.c.id)
    )
    changed_session = f"SELECT 's' || \"{session}\" FROM old_rows"  # noqa: S608
    changed_user = f"SELECT 'u' || \"{user}\" FROM old_rows"  # noqa: S608
    gained = f"SELECT 'l' || \"{owner}\" FROM new_rows"  # noqa: S608
    had = gained.replace("new_rows", "old_rows")
    yield _Trigger(sessions.name, "insert", _NEW, gained)
    yield _Trigger(
        sessions.name,
        "update",
        f"{_OLD} {_NEW}",
        f"{changed_session} UNION ALL ({gained} EXCEPT {had})",
    )
    yield _Trigger(sessions.name, "delete", _OLD, changed_session)
    yield _Trigger(users.name, "update", _OLD, changed_user)
    yield _Trigger(users.name, "delete", _OLD, changed_user)
    for table in (sessions, users):
        yield _Trigger(table.name, "truncate", "", f"SELECT '{_ALL}'")


_PRESENT = sa.text(
    "SELECT tgname, prosrc FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
    "JOIN pg_proc ON pg_proc.oid = tgfoid "
    "WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal"
)


class PostgresFeed:
    """Listens for as long as it is open, and tells the cache."""

    def __init__(
        self,
        cache: SessionCache,
        connect: Callable[[], Awaitable[Any]],
        on_change: Callable[[], None],
    ) -> None:
        """``connect`` opens a connection of asyncpg's that stays with one session of the server's
        (past a pooler in transaction mode, not through it)."""
        self._cache = cache
        self._connect = connect
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[str, float] = {}

    def start(self) -> None:
        """Begin to listen, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._listen())

    async def missing(
        self, connection: AsyncConnection, sessions: sa.Table, users: sa.Table
    ) -> list[str]:
        """What makes the triggers that are not there yet, or tell less than these."""
        present = {row.tgname: row.prosrc for row in await connection.execute(_PRESENT)}
        return [
            statement
            for trigger in _triggers(sessions, users)
            if present.get(trigger.name) != trigger.source
            for statement in trigger.statements(replaces=trigger.name in present)
        ]

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._cache.stand_aside()

    async def _listen(self) -> None:
        while True:
            connection = None
            try:
                connection = await self._connect()
                await self._follow(connection)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                logger.warning(
                    "session cache: no notifications, asking the database: %s: %s",
                    type(error).__name__,
                    error,
                )
            finally:
                self._cache.stand_aside()
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(RETRY)

    async def _follow(self, connection: Any) -> None:
        """Hear notifications and prove to hear them. Raises when the connection is lost."""
        channel = await connection.fetchval(f"SELECT {_CHANNEL.format(schema='current_schema()')}")
        own = f"{channel}_{uuid4().hex[:16]}"
        lost = asyncio.Event()

        def interrupted(_connection: object) -> None:
            self._cache.stand_aside()
            lost.set()

        connection.add_termination_listener(interrupted)
        await connection.add_listener(channel, self._heard)
        await connection.add_listener(own, self._beaten)
        self._cache.clear()
        self._sent.clear()
        number = 0
        while not lost.is_set():
            number += 1
            self._sent[str(number)] = self._cache.now()
            await connection.execute("SELECT pg_notify($1, $2)", own, str(number))
            try:
                await asyncio.wait_for(lost.wait(), self._cache.max_staleness / BEATS)
            except TimeoutError:
                continue
        raise asyncpg.InterfaceError("the listening connection was closed")

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        if payload == _ALL:
            self._cache.clear()
        else:
            self._cache.forget([(_KINDS[name[0]], name[1:]) for name in payload.split(" ")])
        self._on_change()

    def _beaten(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        sent = self._sent.pop(payload, None)
        if sent is not None:
            self._cache.proven(sent)
