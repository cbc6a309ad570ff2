"""What has PostgreSQL tell of every change to sessions and users, whoever makes it: triggers that
notify by name what one statement changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from better_auth.adapters.schema import shortened
from better_auth.adapters.session_cache import Kind, Name

_CHANNEL = "'better_auth_' || left(md5({schema}), 16)"
CHANNEL = _CHANNEL.format(schema="current_schema()")
"""Where the triggers of the tables that a connection finds notify."""

ALL = "*"
"""Told when anything may have changed."""

_KINDS: dict[str, Kind] = {"s": "session", "u": "user", "l": "listing"}

_IN_ONE_NOTIFICATION = 100
_LONGEST = 7900
"""Bytes; PostgreSQL refuses 8000, and with them the change."""

_FUNCTION = """
DECLARE
    channel text := {channel};
    names text;
BEGIN
    FOR names IN
        SELECT CASE WHEN bool_or(strpos(name, ' ') > 0) OR sum(octet_length(name) + 1) > {longest}
                    THEN '{all}' ELSE string_agg(name, ' ') END
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
class Trigger:
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
            longest=_LONGEST,
            all=ALL,
            number=_IN_ONE_NOTIFICATION,
            changed=self.changed,
        )

    @property
    def digest(self) -> str:
        """Of the source."""
        return sha256(self.source.encode()).hexdigest()

    @property
    def always(self) -> str:
        """Has it fire for whoever writes, a replay of changes made elsewhere included."""
        return f'ALTER TABLE "{self.table}" ENABLE ALWAYS TRIGGER "{self.name}"'

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
            self.always,
        ]


def triggers_of(sessions: sa.Table, users: sa.Table) -> Iterator[Trigger]:
    """All that there should be: every session that changes is named, and who gains one; every user
    that changes."""
    session, owner, user = (
        column.name for column in (sessions.c.id, sessions.c.user_id, users.c.id)
    )
    changed_session = f"SELECT 's' || \"{session}\" FROM old_rows"  # noqa: S608
    changed_user = f"SELECT 'u' || \"{user}\" FROM old_rows"  # noqa: S608
    gained = f"SELECT 'l' || \"{owner}\" FROM new_rows"  # noqa: S608
    had = gained.replace("new_rows", "old_rows")
    yield Trigger(sessions.name, "insert", _NEW, gained)
    yield Trigger(
        sessions.name,
        "update",
        f"{_OLD} {_NEW}",
        f"{changed_session} UNION ALL ({gained} EXCEPT {had})",
    )
    yield Trigger(sessions.name, "delete", _OLD, changed_session)
    yield Trigger(users.name, "update", _OLD, changed_user)
    yield Trigger(users.name, "delete", _OLD, changed_user)
    for table in (sessions, users):
        yield Trigger(table.name, "truncate", "", f"SELECT '{ALL}'")


def names_told(payload: str) -> list[Name]:
    """What a notification says has changed; see :data:`ALL` for the one that names nothing."""
    return [(_KINDS[name[0]], name[1:]) for name in payload.split(" ")]


_PRESENT = """\
SELECT relname, tgname, prosrc, tgenabled = 'A' AS is_always FROM pg_trigger
JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal"""

FIRING = """\
SELECT count(*) FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted(in_table, name, source)
JOIN pg_class ON relname = in_table AND relnamespace = current_schema()::regnamespace
JOIN pg_trigger ON tgrelid = pg_class.oid AND tgname = name AND tgenabled IN ('O', 'A')
JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE encode(sha256(convert_to(prosrc, 'UTF8')), 'hex') = source"""
"""How many of the triggers with these tables, names and digests are there and enabled."""


async def missing_triggers(
    connection: AsyncConnection, sessions: sa.Table, users: sa.Table
) -> list[str]:
    """What makes those that are not there yet, tell less than they should, or do not fire."""
    found = await connection.execute(sa.text(_PRESENT))
    present = {(row.relname, row.tgname): row for row in found}
    statements = []
    for trigger in triggers_of(sessions, users):
        there = present.get((trigger.table, trigger.name))
        if there is None or there.prosrc != trigger.source:
            statements += trigger.statements(replaces=there is not None)
        elif not there.is_always:
            statements.append(trigger.always)
    return statements
