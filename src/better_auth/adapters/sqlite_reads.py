"""What SQLite is asked at every request, and by every list of devices, the short way."""

from typing import Any

import sqlalchemy as sa

from better_auth.adapters.backend import Shortcut
from better_auth.adapters.base import NEWEST_FIRST
from better_auth.adapters.hot_reads import REMEMBERED_LISTINGS, HotReads
from better_auth.adapters.prepared import Prepared
from better_auth.adapters.rows import TableOf, pair_reader
from better_auth.adapters.statements import selection
from better_auth.models import Found, Session


def remembered_reads(
    shortcut: Shortcut, sessions: TableOf, users: TableOf, joined: sa.Select[Any]
) -> tuple[HotReads[Found], HotReads[list[Session]]]:
    """Sessions with their users by token key, as ``joined`` selects them, and users' sessions,
    newest first."""
    read, dialect, table = shortcut.read, sessions.dialect, sessions.table
    by_key = Prepared(joined.where(table.c.token_key == sa.bindparam("key")), dialect)
    of_user = Prepared(
        selection(table, [table.c.user_id == sa.bindparam("key")], NEWEST_FIRST), dialect
    )
    pair_of = pair_reader(sessions, users)

    def pair(key: str) -> Found | None:
        rows = read(by_key.sql, (key,))
        return pair_of(rows[0]) if rows else None

    def listing(key: str) -> list[Session]:
        return [sessions.read(row) for row in read(of_user.sql, (key,))]

    version = shortcut.version if sessions.is_immutable else None
    return (
        HotReads(pair, version if users.is_immutable else None),
        HotReads(listing, version, REMEMBERED_LISTINGS),
    )
