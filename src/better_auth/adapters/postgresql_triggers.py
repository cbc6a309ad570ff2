"""What has PostgreSQL tell of every change to sessions and users, whoever makes it: triggers that
notify by name what one statement changed.

There are two places where PostgreSQL fires none for a statement. On a partitioned table they fire
for each row instead: such it makes on every partition too, so that a change counts which names only
that. And a subscription, which replays what another server's rows became, fires those for each row:
beside the others there are some that fire for what is replayed alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

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
    FOR names IN{rows}
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
"""Tells the names of what was changed, some at a time."""

_SCHEMA_OF_ALL = """(SELECT nspname FROM pg_class
              JOIN pg_namespace ON pg_namespace.oid = relnamespace
              WHERE pg_class.oid = pg_partition_root(TG_RELID))"""
"""The schema of the whole, wherever its part is."""

_OLD = {"OLD": "old_rows"}
_NEW = {"NEW": "new_rows"}


@dataclass(frozen=True, slots=True)
class Trigger:
    """What tells of one operation on one table."""

    table: str
    operation: str
    rows: Mapping[str, str]
    """Which rows it is given, and what they are called in ``changed``."""
    changed: str
    """A query of the names it tells, each with the letter of its kind first."""
    for_each: Literal["statement", "row", "replayed"] = "statement"

    def on(self, *, is_partitioned: bool) -> list["Trigger"]:
        """What there is of it on a table of that kind."""
        if not self.rows:
            return [self]
        if is_partitioned:
            return [replace(self, for_each="row")]
        return [self, replace(self, for_each="replayed")]

    @property
    def kinds(self) -> str:
        """On what it is: a table (``r``), a partitioned one (``p``), or either."""
        return "p" if self.for_each == "row" else "r" if self.rows else "rp"

    @property
    def state(self) -> str:
        """When it fires, as PostgreSQL notes it: for whatever is replayed (``R``), or always."""
        return "R" if self.for_each == "replayed" else "A"

    @property
    def name(self) -> str:
        """Of the trigger and of its function."""
        suffix = {"statement": "", "row": "_by_row", "replayed": "_replayed"}[self.for_each]
        return shortened(f"better_auth_{self.table}_{self.operation}{suffix}")

    @property
    def source(self) -> str:
        """The function's body, by which its versions are told apart."""
        given = ", ".join(f"{name} AS (SELECT {row}.*)" for row, name in self.rows.items())
        schema = _SCHEMA_OF_ALL if self.for_each == "row" else "TG_TABLE_SCHEMA"
        return _FUNCTION.format(
            channel=_CHANNEL.format(schema=schema),
            rows="" if self.for_each == "statement" else f" WITH {given}",
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
    def enable(self) -> str:
        """Has it fire when it should: replaying, PostgreSQL leaves out those that say nothing."""
        when = {"A": "ALWAYS", "R": "REPLICA"}[self.state]
        return f'ALTER TABLE "{self.table}" ENABLE {when} TRIGGER "{self.name}"'

    @property
    def drop(self) -> str:
        """Takes it away."""
        return f'DROP TRIGGER "{self.name}" ON "{self.table}"'

    def statements(self, *, replaces: bool) -> list[str]:
        """What makes it, in the place of an older one or anew."""
        each = "FOR EACH ROW"
        if self.for_each == "statement":
            given = " ".join(f"{row} TABLE AS {name}" for row, name in self.rows.items())
            each = f"REFERENCING {given} FOR EACH STATEMENT" if given else "FOR EACH STATEMENT"
        return [
            f'CREATE OR REPLACE FUNCTION "{self.name}"() RETURNS trigger LANGUAGE plpgsql '
            f"AS $${self.source}$$",
            *([self.drop] if replaces else []),
            f'CREATE TRIGGER "{self.name}" AFTER {self.operation.upper()} ON "{self.table}" '
            f'{each} EXECUTE FUNCTION "{self.name}"()',
            self.enable,
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
        _OLD | _NEW,
        f"{changed_session} UNION ALL ({gained} EXCEPT {had})",
    )
    yield Trigger(sessions.name, "delete", _OLD, changed_session)
    yield Trigger(users.name, "update", _OLD, changed_user)
    yield Trigger(users.name, "delete", _OLD, changed_user)
    for table in (sessions, users):
        yield Trigger(table.name, "truncate", {}, f"SELECT '{ALL}'")


def names_told(payload: str) -> list[Name]:
    """What a notification says has changed; see :data:`ALL` for the one that names nothing."""
    return [(_KINDS[name[0]], name[1:]) for name in payload.split(" ")]


_PRESENT = """\
SELECT relname, tgname, prosrc, tgenabled::text AS state, EXISTS (
    SELECT FROM pg_trigger AS part JOIN pg_partition_tree(whole.tgrelid) ON relid = part.tgrelid
    WHERE part.tgname = whole.tgname AND part.tgenabled <> whole.tgenabled) AS is_uneven
FROM pg_trigger AS whole
JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal"""

_PARTITIONED = """\
SELECT relname FROM pg_class
WHERE relkind = 'p' AND relnamespace = current_schema()::regnamespace"""

FIRING = """\
SELECT CASE WHEN count(DISTINCT whole.oid) = $6
    AND bool_and(coalesce(is_firing AND (digest = source OR part <> whole.oid), part <> whole.oid))
THEN md5(string_agg(concat_ws(' ', part, pg_relation_filenode(part), version), ','
    ORDER BY part, name)) END
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    AS wanted(in_table, name, source, state, kinds)
JOIN pg_class AS whole ON relname = in_table AND strpos(kinds, relkind::text) > 0
    AND relnamespace = current_schema()::regnamespace
CROSS JOIN LATERAL (
    SELECT whole.oid AS part UNION SELECT relid FROM pg_partition_tree(whole.oid)) AS parts
LEFT JOIN LATERAL (
    SELECT tgenabled::text = state AS is_firing, concat_ws(' ', pg_trigger.oid, pg_trigger.xmin,
        pg_proc.xmin) AS version, encode(sha256(convert_to(prosrc, 'UTF8')), 'hex') AS digest
    FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid = part AND tgname = name LIMIT 1) AS found ON true"""
"""What there is of the triggers with these tables, names, digests, states and kinds, on ``$6``
tables: a text that is another once any of them, or a table they are on, was exchanged, emptied, or
silenced for a while; NULL where some are missing or do not fire when they should."""


def firing_arguments(triggers: Sequence[Trigger]) -> tuple[object, ...]:
    """What ``FIRING`` is given, of whatever kind each table is."""
    either = [
        one
        for trigger in triggers
        for kind in (False, True)
        for one in trigger.on(is_partitioned=kind)
    ]
    every = list({one.name: one for one in either}.values())
    return (
        [one.table for one in every],
        [one.name for one in every],
        [one.digest for one in every],
        [one.state for one in every],
        [one.kinds for one in every],
        len({one.table for one in every}),
    )


async def missing_triggers(
    connection: AsyncConnection, sessions: sa.Table, users: sa.Table
) -> list[str]:
    """What makes those that are not there yet, tell less than they should, or do not fire."""
    found = await connection.execute(sa.text(_PRESENT))
    present = {(row.relname, row.tgname): row for row in found}
    partitioned = set((await connection.execute(sa.text(_PARTITIONED))).scalars())
    statements = []
    for trigger in triggers_of(sessions, users):
        is_partitioned = trigger.table in partitioned
        wanted = trigger.on(is_partitioned=is_partitioned)
        for other in trigger.on(is_partitioned=not is_partitioned):
            if other not in wanted and (other.table, other.name) in present:
                statements.append(other.drop)
        for one in wanted:
            there = present.get((one.table, one.name))
            if there is None or there.prosrc != one.source:
                statements += one.statements(replaces=there is not None)
            elif there.state != one.state or there.is_uneven:
                statements.append(one.enable)
    return statements
