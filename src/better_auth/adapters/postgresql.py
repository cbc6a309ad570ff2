"""PostgreSQL, by asyncpg.

The hot read is one prepared statement on connections kept for it (``lanes.py``), free of a pool's
reset. Verbs by themselves run straight on the pools' connections (``postgresql_direct.py``), all
else through SQLAlchemy.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

from better_auth.adapters.backend import AsyncHotRead, Direct, Row
from better_auth.adapters.engines import make_engine
from better_auth.adapters.lanes import HotReader, Lane
from better_auth.adapters.network import MIGRATION_PATIENCE, STILL_MIGRATING, NetworkBackend
from better_auth.adapters.session_cache import SessionCache
from better_auth.errors import ConfigurationError, DatabaseUnavailable, MissingExtra

try:
    import asyncpg

    from better_auth.adapters.postgresql_direct import PostgresDirect
    from better_auth.adapters.postgresql_feed import GREETING, NothingIsTold, PostgresFeed
    from better_auth.adapters.postgresql_pooler import (
        KEPT_NOWHERE,
        PooledConnection,
        is_behind_a_pooler,
        listening,
        refuse_unannounced,
    )
    from better_auth.adapters.postgresql_triggers import CHANNEL
except ImportError:
    raise MissingExtra("a postgresql:// database", "postgresql") from None

HOT_CONNECTIONS = 2
"""Connections kept for the hot read."""

_LOCK_NOT_AVAILABLE = "55P03"

_MIGRATION_LOCK = f"{0x6265_7474}, hashtext(current_schema())"
"""What hosts that migrate one schema take turns by: "bett", so that it is no other program's
number."""


class PostgresBackend(NetworkBackend):
    """Engines and hot read for one PostgreSQL database."""

    errors: tuple[type[Exception], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError)
    returns_deleted = True

    def __init__(self, url: sa.URL, *, pool_size: int, patience: float) -> None:
        """``url``: ``postgresql://``, its query as asyncpg understands it (``sslmode`` and so on;
        unknown names are settings of the server, such as ``search_path``), but for ``pooler``:
        ``transaction`` or ``session``, what stands between.

        Raises ``ConfigurationError`` for another pooler.
        """
        pooler = url.query.get("pooler")
        if pooler not in (None, "transaction", "session"):
            raise ConfigurationError("database: pooler is either transaction or session")
        url = url.difference_update_query(["pooler"]).set(drivername="postgresql")
        self._dsn = url.render_as_string(hide_password=False)
        self._is_pooled = pooler == "transaction"
        self._is_checked = pooler is not None
        self._patience = patience
        # The server gives up first: what is said to have failed must not happen later.
        is_given = self._is_pooled or "statement_timeout" in url.query
        self._limit = None if is_given else f"SET statement_timeout = {int(900 * patience)}"
        super().__init__(
            "postgresql+asyncpg://",
            {"async_creator_fn": self.connection, **self._statements},
            pool_size=pool_size,
            patience=patience,
            reads_in_transactions=self._is_pooled,
        )
        # Without BEGIN and COMMIT, which a pooler needs to keep a statement's messages together.
        by_itself = self.writing.execution_options(isolation_level="AUTOCOMMIT")
        self._alone = self.writing if self._is_pooled else by_itself
        self._hot: HotReader[Row] | None = None

    def alone(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._alone.begin()

    def has_ended(self, connection: Any) -> bool:
        return bool(connection.is_closed())

    @property
    def _statements(self) -> Mapping[str, Any]:
        return KEPT_NOWHERE if self._is_pooled else {}

    async def connection(self, *_arguments: object, **_options: object) -> Any:
        """A new connection of asyncpg's own."""
        connection = await self._connected(command_timeout=self.patience)
        if not self._is_checked:
            await refuse_unannounced(connection)
            self._is_checked = True
        if self._limit is not None:
            await connection.execute(self._limit)
        return connection

    async def _hot_connection(self) -> Any:
        """The same as SQLAlchemy has it: JSON is read."""
        connection = await self.connection()
        await connection.set_type_codec(
            "json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
        return connection

    async def _connected(self, **options: Any) -> Any:
        if self._is_pooled:
            options.update(connection_class=PooledConnection, statement_cache_size=0)
        return await asyncpg.connect(self._dsn, timeout=self.patience, **options)

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """On a connection of its own, whose statements have no limit of time."""

        async def patient(*_arguments: object, **_options: object) -> Any:
            return await self._connected()

        engine = make_engine(
            "postgresql+asyncpg://",
            connect_args={"async_creator_fn": patient, **self._statements},
            poolclass=NullPool,
        )
        async with engine.begin() as connection:
            limit = f"SET LOCAL lock_timeout = '{MIGRATION_PATIENCE}s'"
            await connection.exec_driver_sql(limit)
            try:
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            except sa.exc.DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                    raise DatabaseUnavailable from TimeoutError(STILL_MIGRATING)
                raise
            await connection.exec_driver_sql("SET LOCAL lock_timeout = DEFAULT")
            yield connection

    def direct(self, on_wait: Callable[[str, float], None]) -> Direct | None:
        """None behind a pooler, which keeps no statement."""
        if self._is_pooled:
            return None
        return PostgresDirect(self.reading, self.writing, on_wait)

    def hot_read(self, statement: sa.Select[Any], key: sa.Column[str]) -> AsyncHotRead:
        keys = sa.bindparam("keys", type_=ARRAY(sa.String))
        one = statement.where(key == sa.bindparam("key"))
        many = statement.add_columns(key.label("found_by")).where(key == sa.func.any(keys))
        one_sql, many_sql = (str(sql.compile(dialect=self.reading.dialect)) for sql in (one, many))
        lane = _PooledLane if self._is_pooled else _Lane
        self._hot = HotReader(
            [lane(self._hot_connection, one_sql, many_sql) for _ in range(HOT_CONNECTIONS)],
            self._patience,
        )
        return self._hot.read

    def feed(
        self, cache: SessionCache, listen_url: str | None, on_change: Callable[[], None]
    ) -> PostgresFeed:
        if self._is_pooled and listen_url is None:
            raise ConfigurationError(
                "session.cache.listen_url is missing: notifications do not pass a pooler"
            )
        dsn, is_checked = listening(listen_url) if listen_url else (self._dsn, True)

        async def connect() -> Any:
            connection = await asyncpg.connect(
                dsn, timeout=self.patience, command_timeout=cache.max_staleness
            )
            if not is_checked and await is_behind_a_pooler(connection):
                connection.terminate()
                raise NothingIsTold("session.cache.listen_url leads through a pooler")
            return connection

        async def notify(suffix: str) -> None:
            connection = await self.connection()
            try:
                async with connection.transaction():
                    sql = f"SELECT pg_notify({CHANNEL} || '_' || $1, '{GREETING}')"
                    await connection.execute(sql, suffix)
            finally:
                connection.terminate()

        return PostgresFeed(cache, connect, notify if listen_url else None, on_change)

    async def close(self) -> None:
        if self._hot is not None:
            self._hot.close()
            self._hot = None
        await super().close()


class _Lane(Lane[Row]):
    """A connection with the two statements prepared."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], one: str, many: str) -> None:
        """``one`` finds the row of ``$1``; ``many`` the rows of the keys in the array ``$1``, the
        key they were found by in their last column."""
        super().__init__()
        self._connect = connect
        self._sql = one, many
        self._ask_one: Callable[[str], Awaitable[Any]]
        self._ask_many: Callable[[list[str]], Awaitable[Any]]

    async def one(self, key: str) -> Row | None:
        row: Row | None = await self.tried(lambda: self._ask_one(key))
        return row

    async def many(self, keys: set[str]) -> dict[str, Row]:
        rows: list[Row] = await self.tried(lambda: self._ask_many(list(keys)))
        return {row[-1]: row for row in rows}

    async def open(self) -> None:
        self.connection = await self._connect()
        one, many = self._sql
        self._ask_one = (await self.connection.prepare(one)).fetchrow
        self._ask_many = (await self.connection.prepare(many)).fetch

    def drop(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    def may_be_stale(self, error: BaseException) -> bool:
        """A plan may have expired, too."""
        broken = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
        return isinstance(error, broken) and not isinstance(error, TimeoutError)


class _PooledLane(_Lane):
    """The same where no statement can be kept."""

    async def open(self) -> None:
        self.connection = await self._connect()
        one, many = self._sql
        self._ask_one = partial(self.connection.row, one)
        self._ask_many = partial(self.connection.rows, many)
