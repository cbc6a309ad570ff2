"""PostgreSQL, by asyncpg.

Everything goes through SQLAlchemy but the hot read: that is one prepared statement on connections
kept for it, free of a pool's reset. While all of them are busy, checks that arrive queue, and the
next free connection answers the whole queue with one statement: under load a round trip is
shared by many.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from better_auth.adapters.backend import AsyncHotRead, Row
from better_auth.adapters.network import NetworkBackend
from better_auth.adapters.session_cache import SessionCache
from better_auth.errors import ConfigurationError, MissingExtra

try:
    import asyncpg

    from better_auth.adapters.postgresql_feed import PostgresFeed
    from better_auth.adapters.postgresql_pooler import (
        KEPT_NOWHERE,
        PooledConnection,
        refuse_unannounced,
    )
except ImportError:
    raise MissingExtra("a postgresql:// database", "postgresql") from None

HOT_CONNECTIONS = 2
"""Connections kept for the hot read; each answers everything that queued while it was busy."""

BATCH = 64
"""Checks that one statement answers at most."""

_MIGRATION_LOCK = 0x6265_7474_6572
"""What migrating hosts take turns by: "better", so that it is no other program's number."""


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
        super().__init__(
            "postgresql+asyncpg://",
            {"async_creator_fn": self.connection, **self._statements},
            pool_size=pool_size,
            patience=patience,
            reads_in_transactions=self._is_pooled,
        )
        self._hot: HotReader | None = None

    @property
    def _statements(self) -> Mapping[str, Any]:
        return KEPT_NOWHERE if self._is_pooled else {}

    async def connection(self, *_arguments: object, **_options: object) -> Any:
        """A new connection of asyncpg's own."""
        connection = await self._connected(command_timeout=self.patience)
        if not self._is_checked:
            await refuse_unannounced(connection)
            self._is_checked = True
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

        engine = create_async_engine(
            "postgresql+asyncpg://",
            connect_args={"async_creator_fn": patient, **self._statements},
            poolclass=NullPool,
        )
        async with engine.begin() as connection:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            yield connection

    def hot_read(self, statement: sa.Select[Any], key: sa.Column[str]) -> AsyncHotRead:
        keys = sa.bindparam("keys", type_=ARRAY(sa.String))
        one = statement.where(key == sa.bindparam("key"))
        many = statement.add_columns(key.label("found_by")).where(key == sa.func.any(keys))
        one_sql, many_sql = (str(sql.compile(dialect=self.reading.dialect)) for sql in (one, many))
        lane = _PooledLane if self._is_pooled else _Lane
        self._hot = HotReader(
            [lane(self.connection, one_sql, many_sql) for _ in range(HOT_CONNECTIONS)]
        )
        return self._hot.read

    def feed(
        self, cache: SessionCache, listen_url: str | None, on_change: Callable[[], None]
    ) -> PostgresFeed:
        if self._is_pooled and listen_url is None:
            raise ConfigurationError(
                "session.cache.listen_url is missing: notifications do not pass a pooler"
            )
        dsn = listen_url or self._dsn

        async def connect() -> Any:
            return await asyncpg.connect(
                dsn, timeout=self.patience, command_timeout=cache.max_staleness
            )

        return PostgresFeed(cache, connect, on_change)

    async def close(self) -> None:
        if self._hot is not None:
            self._hot.close()
            self._hot = None
        await super().close()


class HotReader:
    """One row by its key, as fast as asyncpg answers, for any number of callers at once."""

    def __init__(self, lanes: Sequence["_Lane"]) -> None:
        self._idle = list(lanes)
        self._lanes = lanes
        self._waiting: deque[tuple[str, asyncio.Future[Row | None]]] = deque()
        self._batches: set[asyncio.Task[None]] = set()

    async def read(self, key: str) -> Row | None:
        """The row under ``key``, read after this call. Raises what asyncpg raises."""
        if not self._idle:
            answer: asyncio.Future[Row | None] = asyncio.get_running_loop().create_future()
            self._waiting.append((key, answer))
            return await answer
        lane = self._idle.pop()
        try:
            return await lane.one(key)
        finally:
            self._free(lane)

    def _free(self, lane: "_Lane") -> None:
        """Give ``lane`` to those who wait, or let it rest."""
        if not self._waiting:
            self._idle.append(lane)
            return
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        task = asyncio.get_running_loop().create_task(self._answer(lane, batch))
        self._batches.add(task)
        task.add_done_callback(self._batches.discard)

    async def _answer(
        self, lane: "_Lane", batch: Sequence[tuple[str, asyncio.Future[Row | None]]]
    ) -> None:
        try:
            rows = await lane.many({key for key, _ in batch})
        except BaseException as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for key, answer in batch:
                if not answer.done():
                    answer.set_result(rows.get(key))
        finally:
            self._free(lane)

    def close(self) -> None:
        """Drop the connections; whoever still waits is told."""
        for lane in self._lanes:
            lane.drop()
        while self._waiting:
            _, answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(asyncpg.InterfaceError("closed"))


class _Lane:
    """A connection with the two statements prepared, made when needed and after every failure."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], one: str, many: str) -> None:
        """``one`` finds the row of ``$1``; ``many`` the rows of the keys in the array ``$1``, the
        key they were found by in their last column."""
        self._connect = connect
        self._sql = one, many
        self._connection: Any = None
        self._ask_one: Callable[[str], Awaitable[Any]]
        self._ask_many: Callable[[list[str]], Awaitable[Any]]

    async def one(self, key: str) -> Row | None:
        """The row under ``key``."""
        row: Row | None = await self._tried(lambda: self._ask_one(key))
        return row

    async def many(self, keys: set[str]) -> dict[str, Row]:
        """The rows under ``keys``, by key."""
        rows = await self._tried(lambda: self._ask_many(list(keys)))
        return {row[-1]: row for row in rows}

    async def _tried(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What ``ask`` answers; once more on a new connection where the old one had broken."""
        if self._connection is not None:
            try:
                return await ask()
            except BaseException as error:
                self.drop()
                if not _may_be_stale(error):
                    raise
        try:
            await self._open()
            return await ask()
        except BaseException:
            self.drop()
            raise

    async def _open(self) -> None:
        self._connection = await self._connect()
        one, many = self._sql
        self._ask_one = (await self._connection.prepare(one)).fetchrow
        self._ask_many = (await self._connection.prepare(many)).fetch

    def drop(self) -> None:
        """Let go of the connection, without a word to a server that may not answer."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()


class _PooledLane(_Lane):
    """The same where no statement can be kept."""

    async def _open(self) -> None:
        self._connection = await self._connect()
        one, many = self._sql
        self._ask_one = partial(self._connection.row, one)
        self._ask_many = partial(self._connection.rows, many)


def _may_be_stale(error: BaseException) -> bool:
    """Whether a connection that sat idle may have broken, or its plan expired, since; a server
    that keeps silent has been waited for long enough."""
    broken = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
    return isinstance(error, broken) and not isinstance(error, TimeoutError)
