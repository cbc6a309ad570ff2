"""A database named by a URL, as an adapter: the verbs (``verbs.py``) on the connections of a
:class:`Backend`, which holds what differs between databases, and the short ways past them for what
is asked at every request.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from time import perf_counter
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from better_auth.adapters.backend import AsyncHotRead, DatabaseBusy, Feed, Shortcut
from better_auth.adapters.base import NEWEST_FIRST, Verbs, gt
from better_auth.adapters.direct import DirectVerbs
from better_auth.adapters.failures import raise_translated, translated_errors
from better_auth.adapters.hot_reads import HotReads, KnownRows
from better_auth.adapters.kinds import make_backend
from better_auth.adapters.layout import Layout
from better_auth.adapters.listings import Listings
from better_auth.adapters.migrations import apply_migration, is_up_to_date, plan_migration
from better_auth.adapters.rows import TableOf, names_in, pair_reader
from better_auth.adapters.schema import build_tables
from better_auth.adapters.session_cache import SessionCache
from better_auth.adapters.sqlite_reads import remembered_reads
from better_auth.adapters.verbs import TransactionVerbs
from better_auth.models import Found, Record, Session, User

R = TypeVar("R", bound=Record)


class SqlDatabaseAdapter(DirectVerbs):
    """A database named by a URL.

    ``sqlite:///relative.db``, ``sqlite:////absolute/path.db``, ``sqlite://`` (in memory),
    ``postgresql://user:password@host/name``, ``mysql://...`` or ``mariadb://...``.

    ``pool_size`` bounds the connections for reading and for writing, each; ``patience`` is how
    many seconds a connection or statement may take before the database counts as unavailable
    (both are SQLite's own affair there).

    Raises ``ConfigurationError`` for a URL of a database that is not supported, ``MissingExtra``
    where its driver is not installed.
    """

    def __init__(self, url: str, *, pool_size: int = 10, patience: float = 3.0) -> None:
        self.url = url
        self.metadata = sa.MetaData()
        self.tables = {}
        self._backend = make_backend(url, pool_size, patience)
        self._shortcut: Shortcut | None = None
        self._hot_reads: HotReads[Found] | None = None
        self._listings: HotReads[list[Session]] | None = None
        self._hot_read: AsyncHotRead | None = None
        self._is_open = False
        self._cache: SessionCache | None = None
        self._feed: Feed | None = None
        self.shares_sessions = True
        """Whether sessions and users hold nothing that could be changed in place."""
        self.remembers = False
        self.on_change: Callable[[], None] = lambda: None
        self.on_wait: Callable[[str, float], None] = lambda pool, seconds: None

    def __repr__(self) -> str:
        shown = sa.make_url(self.url).render_as_string(hide_password=True)
        return f"{type(self).__name__}({shown!r})"

    def __str__(self) -> str:
        """Where the data is, for a person to read: a file's path, or the URL without password."""
        url = sa.make_url(self.url)
        if url.get_backend_name() != "sqlite":
            return url.render_as_string(hide_password=True)
        return "memory, until the process ends" if self.is_in_memory else str(url.database)

    @property
    def is_in_memory(self) -> bool:
        """Whether nothing of it is left, or seen, outside this process."""
        url = sa.make_url(self.url)
        return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")

    def bind(self, models: Sequence[type[Record]], layout: Layout = Layout()) -> None:
        self.metadata = sa.MetaData()
        tables = build_tables(models, self.metadata, layout)
        dialect = self._backend.reading.dialect
        self.tables = {
            model.table_name: TableOf(model, tables[model.table_name], dialect, layout)
            for model in models
        }
        self._sessions = self.tables[Session.table_name]
        self._users = self.tables[User.table_name]
        sessions, users = self._sessions.table, self._users.table
        self._session_with_user = (
            sa.select(*sessions.columns, *users.columns)
            .join(users, users.c.id == sessions.c.user_id)
            .set_label_style(sa.LABEL_STYLE_TABLENAME_PLUS_COL)
        )
        self._listed = Listings(self._sessions)
        self._pair = pair_reader(self._sessions, self._users)
        self.shares_sessions = self._sessions.is_immutable and self._users.is_immutable
        if self.shares_sessions:
            self._pair = KnownRows(self._pair, self._sessions.names.index("id")).record
        if self._cache is not None:
            self._cache.shares = self.shares_sessions

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        began = perf_counter()
        async with self._backend.reading.connect() as connection:
            self.on_wait("reading", perf_counter() - began)
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        began = perf_counter()
        async with self._backend.alone() as connection:
            self.on_wait("writing", perf_counter() - began)
            yield connection

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[AsyncConnection]:
        began = perf_counter()
        async with self._backend.committing() as connection:
            self.on_wait("writing", perf_counter() - began)
            yield connection

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[AsyncConnection]:
        async with self.changing() as connection:
            await self._backend.begin_writing(connection)
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Verbs]:
        log: list[tuple[TableOf, Mapping[str, Any]]] = []
        try:
            async with translated_errors(self._backend), self._exclusive() as connection:
                verbs = TransactionVerbs(self._backend, self.tables, connection)
                log = verbs.log
                yield verbs
        finally:
            for table, where in log:
                self.written(table, where)

    def written(self, table: TableOf, where: Mapping[str, Any]) -> None:
        if self._cache is not None and table in (self._sessions, self._users):
            names = names_in(where, "user" if table is self._users else "session")
            if names is None:
                self._cache.clear()
            else:
                self._cache.forget(names)

    def enable_cache(self, cache: SessionCache, listen_url: str | None = None) -> None:
        """SQLite needs no cache: what it finds is remembered, exactly, in any case."""
        self._feed = self._backend.feed(cache, listen_url, lambda: self.on_change())
        self._cache = cache if self._feed is not None else None

    @property
    def cache(self) -> SessionCache | None:
        return self._cache

    async def connect(self) -> None:
        if self._is_open:
            return
        async with translated_errors(self._backend), self.reading() as connection:
            await connection.execute(sa.select(1))
        read, key = self._session_with_user, self._sessions.table.c.token_key
        self._hot_read = self._backend.hot_read(read, key)
        self._direct = self._backend.direct(lambda pool, seconds: self.on_wait(pool, seconds))
        self._shortcut = self._backend.shortcut()
        if self._shortcut is not None:
            self._hot_reads, self._listings = remembered_reads(
                self._shortcut, self._sessions, self._users, self._session_with_user
            )
        if self._feed is not None:
            self._feed.start(self._sessions.table, self._users.table)
        keeps_records = self._hot_reads is not None and self.shares_sessions
        self.remembers = self._cache is not None or keeps_records
        self._is_open = True

    async def close(self) -> None:
        self._is_open = self.remembers = False
        self._hot_reads = self._hot_read = self._listings = None
        self._shortcut = self._direct = None
        if self._feed is not None:
            await self._feed.stop()
        await self._backend.close()

    async def migrate(self) -> list[str]:
        if await self.is_up_to_date():
            return []
        async with translated_errors(self._backend, patient=True):
            async with self._backend.migrating() as connection:
                statements = await connection.run_sync(apply_migration, self.metadata)
                for statement in await self._feed_statements(connection):
                    await connection.exec_driver_sql(statement)
                    statements.append(statement)
                return statements

    async def pending_migration(self) -> list[str]:
        if await self.is_up_to_date():
            return []
        async with translated_errors(self._backend), self.reading() as connection:
            statements = await connection.run_sync(plan_migration, self.metadata)
            return statements + await self._feed_statements(connection)

    async def _feed_statements(self, connection: AsyncConnection) -> list[str]:
        """What the database must still be taught to tell of its changes."""
        if self._feed is None:
            return []
        return await self._feed.missing(connection, self._sessions.table, self._users.table)

    async def is_up_to_date(self) -> bool:
        """Whether every table, column and index is there; far cheaper than planning."""
        async with translated_errors(self._backend), self.reading() as connection:
            if not await connection.run_sync(is_up_to_date, self.metadata):
                return False
            return not await self._feed_statements(connection)

    def at_hand(self, token_key: str) -> Found | None:
        if self._cache is not None:
            return self._cache.get(token_key)
        if self._hot_reads is not None:
            try:
                return self._hot_reads.at_hand(token_key)
            except (DatabaseBusy, sqlite3.Error):
                pass  # session_with_user finds out, or says what is wrong
        return None

    async def session_with_user(self, token_key: str) -> Found | None:
        try:
            if self._hot_reads is not None:
                return self._hot_reads.get(token_key)
        except (DatabaseBusy, sqlite3.Error):
            pass  # whatever stood in the way, the engine waits its turn or says what is wrong
        if self._cache is None:
            return await self._read(token_key)
        with self._cache.reading() as reading:
            found = await self._read(token_key)
            if found is not None:
                self._cache.store(reading, token_key, found)
        return found

    async def live_sessions(self, user_id: str, now: datetime) -> list[Session]:
        if self._listings is not None:
            try:
                found = self._listings.at_hand(user_id)
                if found is None:
                    found = self._listings.get(user_id) or []
                return [session for session in found if session.expires_at > now]
            except (DatabaseBusy, sqlite3.Error):
                pass  # as above
        if self._sessions.is_immutable and self._cache is not None:
            listed = self._cache.listing(user_id)
            if listed is None:
                listed = await self._all_sessions(self._cache, user_id)
            return [session for session in listed if session.expires_at > now]
        if self._sessions.is_immutable and self._direct is not None:
            async with translated_errors(self._backend):
                return await self._listed.live(self._direct, user_id, now)
        return await self.find(Session, order_by=NEWEST_FIRST, user_id=user_id, expires_at=gt(now))

    async def _all_sessions(self, cache: SessionCache, user_id: str) -> list[Session]:
        """A user's sessions, expired ones too: which those are is for the clock to say."""
        with cache.reading() as reading:
            found = await self.find(Session, order_by=NEWEST_FIRST, user_id=user_id)
            cache.store_listing(reading, user_id, found)
        return found

    async def find_one(self, model: type[R], **where: Any) -> R | None:
        table = self.tables[model.table_name]
        lookup = table.lookup(where) if self._shortcut is not None else None
        if self._shortcut is None or lookup is None:
            return await super().find_one(model, **where)
        try:
            rows = self._shortcut.read(lookup.sql, lookup.parameters(where))
        except (DatabaseBusy, sqlite3.Error):
            return await super().find_one(model, **where)
        return table.read(rows[0]) if rows else None

    async def insert(self, record: R) -> R:
        if self._shortcut is None:
            return await super().insert(record)
        table = self.tables[record.table_name]
        parameters = table.insertion.parameters(table.row(record.__dict__))
        try:
            await self._shortcut.write(table.insertion.sql, parameters)
        except Exception as error:
            raise_translated(error, self._backend)
        return record

    async def _read(self, token_key: str) -> Found | None:
        if self._hot_read is not None:
            try:
                raw = await self._hot_read(token_key)
            except Exception as error:
                raise_translated(error, self._backend)
            return None if raw is None else self._pair(raw)
        async with translated_errors(self._backend):
            key = self._sessions.table.c.token_key
            async with self.reading() as connection:
                statement = self._session_with_user.where(key == token_key)
                row = (await connection.execute(statement)).first()
        if row is None:
            return None
        split = len(self._sessions.names)
        session: Session = self._sessions.record(row[:split])
        if session.token_key != token_key:  # a table made elsewhere may compare without case
            return None
        return Found(session, self._users.record(row[split:]))
