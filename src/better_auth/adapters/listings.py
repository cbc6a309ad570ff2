"""A user's sessions, asked for over a network: first which rows there are, in which versions, and
the rows themselves only where these are not all known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from better_auth.adapters.backend import Direct, Row
from better_auth.adapters.base import NEWEST_FIRST, gt
from better_auth.adapters.failures import is_unknown_column
from better_auth.adapters.hot_reads import REMEMBERED_LISTINGS, KnownRows
from better_auth.adapters.prepared import Prepared
from better_auth.adapters.rows import TableOf
from better_auth.adapters.statements import selection
from better_auth.models import Session

_VERSION: sa.ColumnClause[int] = sa.literal_column("xmin")
"""The transaction that made the row as it is (PostgreSQL's own column)."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """What was found for a user."""

    versions: Sequence[Row]
    sessions: list[Session]


class Listings:
    """Users' live sessions, newest first. Every call asks the database, so that what is answered
    is what it holds now; sessions whose rows are as they were are the records they were, too.

    A view, or a database that only speaks PostgreSQL's protocol, has no versions: there all rows
    are read every time.
    """

    def __init__(self, sessions: TableOf) -> None:
        table = sessions.table
        user_id = sa.bindparam("of_user", type_=table.c.user_id.type)
        now = sa.bindparam("now", type_=table.c.expires_at.type)
        live = sessions.where({"user_id": user_id, "expires_at": gt(now)})
        id_at = sessions.names.index("id")
        self._known = KnownRows[Session](sessions.read, id_at)
        self._listed: dict[str, _Listed] = {}
        self._has_versions = True
        rows, dialect = selection(table, live, NEWEST_FIRST), sessions.dialect
        self._rows = Prepared(rows, dialect)
        self._versions = Prepared(rows.with_only_columns(table.c.id, _VERSION), dialect)
        self._rows_and_versions = Prepared(rows.add_columns(_VERSION), dialect)
        self._id_at = id_at

    async def live(self, direct: Direct, user_id: str, now: datetime) -> list[Session]:
        """The sessions of a user that have not expired ``now``. Raises what the driver raises."""
        given = {"of_user": user_id, "now": now}
        if self._has_versions:
            try:
                return list(await self._remembered(direct, user_id, given))
            except Exception as error:
                if not is_unknown_column(error):
                    raise
                self._has_versions = False
        return self._records(await _read(direct, self._rows, given))

    async def _remembered(
        self, direct: Direct, user_id: str, given: dict[str, object]
    ) -> list[Session]:
        listed = self._listed.get(user_id)
        if listed is not None:
            if listed.versions == await _read(direct, self._versions, given):
                return listed.sessions
            self._listed.pop(user_id, None)
        rows = await _read(direct, self._rows_and_versions, given)
        sessions = self._records(rows)
        if len(self._listed) >= REMEMBERED_LISTINGS:
            del self._listed[next(iter(self._listed))]
        versions = [(row[self._id_at], row[-1]) for row in rows]
        self._listed[user_id] = _Listed(versions, sessions)
        return sessions

    def _records(self, rows: Sequence[Row]) -> list[Session]:
        return [self._known.record(row) for row in rows]


async def _read(direct: Direct, statement: Prepared, given: dict[str, object]) -> list[Row]:
    return await direct.read(statement.sql, statement.parameters(given))
