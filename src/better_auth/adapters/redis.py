"""Redis as the home of sessions: instead of their table, or beside it.

Users, accounts and everything else stay in SQL. A session check reads the session and a copy of
its user in one round trip. The copy is made from the table when it is missing, believed for
``BELIEVED`` seconds at most, and dropped before anything is changed in the table
(``redis_fence.py``), so that what a check shows is what the table holds.

Where the table of sessions is kept too, it is what counts, and sessions in Redis are copies like
those of users: losing Redis loses nothing, and a check that finds no copy asks the table.
"""

import logging
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import datetime
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from better_auth.adapters.backend import Row
from better_auth.adapters.base import NEWEST_FIRST, Verbs, gt
from better_auth.adapters.conditions import values_of
from better_auth.adapters.hot_reads import KnownRows
from better_auth.adapters.layout import Layout
from better_auth.adapters.record_json import RecordJson
from better_auth.adapters.redis_client import Copies, RedisClient
from better_auth.adapters.redis_feed import RedisFeed
from better_auth.adapters.redis_fence import Fence
from better_auth.adapters.redis_sessions import (
    Fenced,
    SessionsInRedis,
    SessionsInTheTable,
    SessionVerbs,
)
from better_auth.adapters.redis_store import RedisStore
from better_auth.adapters.session_cache import SessionCache
from better_auth.adapters.sql import SqlDatabaseAdapter
from better_auth.clock import Clock, utc_now
from better_auth.errors import ConfigurationError, DatabaseUnavailable
from better_auth.models import Found, Record, Session, User

logger = logging.getLogger("better_auth.database")

R = TypeVar("R", bound=Record)

PAUSE = 1.0
"""Seconds for which checks go to the table alone after Redis did not answer."""


class RoutedVerbs(Verbs):
    """Sessions where they live, users with their copies in mind, everything else to SQL.

    Inside a transaction what is done to sessions in Redis is done at once; whoever needs an order
    locks the user.
    """

    _tables: Verbs
    _sessions: SessionVerbs

    @abstractmethod
    def fenced(self) -> AbstractAsyncContextManager[Fence]:
        """Begin a change of the tables."""

    async def insert(self, record: R) -> R:
        if isinstance(record, Session):
            await self._sessions.insert(record)
            return record
        return await self._tables.insert(record)

    async def find_one(self, model: type[R], **where: Any) -> R | None:
        if not _is_session(model):
            return await self._tables.find_one(model, **where)
        rows = await self.find(model, limit=1, **where)
        return rows[0] if rows else None

    async def find(
        self,
        model: type[R],
        *,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
        offset: int = 0,
        **where: Any,
    ) -> list[R]:
        if _is_session(model):
            return cast(list[R], await self._sessions.find(order_by, limit, offset, where))
        return await self._tables.find(
            model, order_by=order_by, limit=limit, offset=offset, **where
        )

    async def count(self, model: type[Record], **where: Any) -> int:
        if _is_session(model):
            return len(await self._sessions.find((), None, 0, where))
        return await self._tables.count(model, **where)

    async def update(self, model: type[Record], values: Mapping[str, Any], /, **where: Any) -> int:
        if _is_session(model):
            return await self._sessions.update(values, where)
        if not _is_user(model):
            return await self._tables.update(model, values, **where)
        async with self.fenced() as fence:
            await fence.around(await self._users_in(where))
            return await self._tables.update(model, values, **where)

    async def delete(self, model: type[Record], **where: Any) -> int:
        if _is_session(model) or _is_user(model):
            return len(await self.take(model, **where))
        return await self._tables.delete(model, **where)

    async def take(self, model: type[R], *, limit: int | None = None, **where: Any) -> list[R]:
        if _is_session(model):
            return cast(list[R], await self._sessions.take(limit, where))
        if not _is_user(model):
            return await self._tables.take(model, limit=limit, **where)
        async with self.fenced() as fence:
            await fence.around_gone(await self._users_in(where))
            taken = await self._tables.take(model, limit=limit, **where)
            fence.are_gone([user.id for user in taken])
            return taken

    async def lock(self, model: type[Record], record_id: str) -> bool:
        return await self._tables.lock(model, record_id)

    async def _users_in(self, where: Mapping[str, Any]) -> set[str]:
        """The ids of the users whom ``where`` means."""
        named = values_of(where["id"]) if "id" in where else None
        if named is not None:
            return set(named)
        return {user.id for user in await self._tables.find(User, **where)}


class TransactionVerbs(RoutedVerbs):
    """The same inside a transaction of the tables'."""

    def __init__(self, tables: Verbs, sessions: SessionVerbs, fence: Fence) -> None:
        """``fence`` stands until the transaction is over."""
        self._tables = tables
        self._sessions = sessions
        self._fence = fence

    def fenced(self) -> AbstractAsyncContextManager[Fence]:
        return nullcontext(self._fence)


class RedisDatabaseAdapter(RoutedVerbs):
    """A database whose sessions are in Redis.

    ``database`` holds everything else; ``keep_table``: the sessions too, with copies in Redis.
    ``url`` is ``redis://``, ``rediss://``, or either with ``+sentinel`` or ``+cluster``; ``prefix``
    begins every key. ``patience`` is how many seconds a connection or command may take.

    Raises ``ConfigurationError`` for a URL that is none of Redis, ``MissingExtra`` where redis-py
    is not installed.
    """

    def __init__(
        self,
        database: SqlDatabaseAdapter,
        url: str,
        *,
        keep_table: bool = False,
        prefix: str = "better-auth:",
        pool_size: int = 10,
        patience: float = 3.0,
        clock: Clock = utc_now,
    ) -> None:
        self.sql = database
        self.metadata: sa.MetaData = database.metadata
        self._tables = database
        self._keeps_table = keep_table
        self._clock = clock
        self._client = RedisClient(url, pool_size=pool_size, patience=patience)
        self._store = RedisStore(self._client, prefix, are_copies=keep_table)
        self._cache: SessionCache | None = None
        self.remembers = False
        self._feed: RedisFeed | None = None
        self._is_open = False
        self._paused_until = float("-inf")
        self.on_change: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.sql!r})"

    def __str__(self) -> str:
        return f"{self.sql}, its sessions in Redis"

    @property
    def on_wait(self) -> Callable[[str, float], None]:
        """Told of waits for the tables' connections."""
        return self.sql.on_wait

    @on_wait.setter
    def on_wait(self, told: Callable[[str, float], None]) -> None:
        self.sql.on_wait = told

    @property
    def cache(self) -> SessionCache | None:
        """The sessions in memory, if there are to be any."""
        return self._cache

    def enable_cache(self, cache: SessionCache, listen_url: str | None = None) -> None:
        """Keep sessions in ``cache`` and it right. Raises ``ConfigurationError`` on a cluster,
        whose servers tell of changes in no common order."""
        if self._client.is_cluster:
            raise ConfigurationError("session.cache: a Redis cluster cannot prove what it told")
        if listen_url is not None:
            raise ConfigurationError("session.cache.listen_url is for PostgreSQL, not for Redis")
        self._cache = cache
        self.remembers = True
        self._store.forget = lambda owner: cache.forget([("user", owner)])
        self._feed = RedisFeed(
            cache, self._client, self._store.prefix, self._store.channel, lambda: self.on_change()
        )

    def bind(self, models: Sequence[type[Record]], layout: Layout = Layout()) -> None:
        self.sql.bind(models, layout)
        self.metadata = self.sql.metadata
        by_table = {model.table_name: model for model in models}
        self._session_text = RecordJson(cast(type[Session], by_table[Session.table_name]))
        self._user_text = RecordJson(cast(type[User], by_table[User.table_name]))
        self._sessions = self._sessions_of(self.sql, self.fenced)
        self._pair: Callable[[Row], Found | None] = self._decoded
        if self.sql.shares_sessions:
            self._pair = KnownRows(self._decoded, 0).record
        if self._cache is not None:
            self._cache.shares = self.sql.shares_sessions

    def fenced(self) -> Fence:
        return Fence(self._store, sessions_too=self._keeps_table)

    def _sessions_of(self, tables: Verbs, fenced: Fenced) -> SessionVerbs:
        if self._keeps_table:
            return SessionsInTheTable(tables, fenced, self._clock, counts=True)
        return SessionsInRedis(self._store, self._session_text, self._clock, tables, fenced)

    async def connect(self) -> None:
        if self._is_open:
            return
        await self.sql.connect()
        try:
            await self._client.run(("PING",))
            await self._client.warn_of_eviction()
        except DatabaseUnavailable:
            if not self._keeps_table:
                raise
        self._store.open()
        if self._feed is not None:
            self._feed.listen()
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False
        if self._feed is not None:
            await self._feed.stop()
        self._store.close()
        await self._client.close()
        await self.sql.close()

    async def migrate(self) -> list[str]:
        return await self.sql.migrate()

    async def pending_migration(self) -> list[str]:
        return await self.sql.pending_migration()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Verbs]:
        async with self.fenced() as fence, self.sql.transaction() as verbs:
            sessions = self._sessions_of(verbs, lambda: nullcontext(fence))
            yield TransactionVerbs(verbs, sessions, fence)

    def at_hand(self, token_key: str) -> Found | None:
        return None if self._cache is None else self._cache.get(token_key)

    async def session_with_user(self, token_key: str) -> Found | None:
        if self._cache is None:
            return (await self._read(token_key))[0]
        with self._cache.reading() as reading:
            found, is_told = await self._read(token_key)
            if found is not None and is_told:
                self._cache.store(reading, token_key, found)
        return found

    async def live_sessions(self, user_id: str, now: datetime) -> list[Session]:
        if self._keeps_table:
            return await self.sql.live_sessions(user_id, now)
        where = {"user_id": user_id, "expires_at": gt(now)}
        return await self._sessions.find(NEWEST_FIRST, None, 0, where)

    async def _read(self, token_key: str) -> tuple[Found | None, bool]:
        """A session with its user, and whether any change to them from now on will be told."""
        if self._keeps_table:
            return await self._read_or_ask(token_key)
        copies = await self._store.read(token_key)
        found = self._in(copies, token_key)
        if found is not None:
            return found, True
        session = self._session_in(copies.session, token_key)
        if session is None:
            if not token_key:  # health asks for a key nobody has: the tables must answer as well
                await self.sql.session_with_user(token_key)
            return None, False
        user = await self.sql.find_one(self._user_text.model, id=session.user_id)
        if user is None:
            return None, False
        return Found(session, user), await self._copy(copies.at, user)

    async def _read_or_ask(self, token_key: str) -> tuple[Found | None, bool]:
        """The same where the table is kept: without Redis, or a copy there, it is asked."""
        copies = None
        if time.monotonic() >= self._paused_until:
            try:
                copies = await self._store.read(token_key)
                found = self._in(copies, token_key)
                if found is not None:
                    return found, True
            except DatabaseUnavailable:
                self._paused_until = time.monotonic() + PAUSE
        found = await self.sql.session_with_user(token_key)
        if found is None or copies is None:
            return found, False
        return found, await self._copy(copies.at, found.user, found.session)

    def _in(self, copies: Copies, token_key: str) -> Found | None:
        """The session with its user, where both are here."""
        if copies.session is None or copies.user is None:
            return None
        return self._pair((token_key, copies.session, copies.user))

    def _decoded(self, row: Row) -> Found | None:
        """What a token's key and the texts of a session and its user say."""
        token_key, session_text, user_text = row
        session = self._session_in(session_text, token_key)
        user = self._user_text.decode(user_text)
        return None if session is None or user is None else Found(session, user)

    def _session_in(self, text: bytes | None, token_key: str) -> Session | None:
        """The session, if the key still is its own: what leads there may be older."""
        session = self._session_text.decode(text) if text else None
        return None if session is None or session.token_key != token_key else session

    async def _copy(self, at: bytes, user: User, session: Session | None = None) -> bool:
        """Copy what the tables held after ``at``; whether it is there. A check does without."""
        text = self._user_text.encode(user)
        try:
            if session is None:
                return await self._store.fill(at, user.id, text)
            await self._store.locate_copy((user.id, session.id), session.token_key)
            own = self._session_text.encode(session)
            return await self._store.fill(at, user.id, text, session.id, own)
        except DatabaseUnavailable:
            return False


def _is_session(model: type[Record]) -> bool:
    return model.table_name == Session.table_name


def _is_user(model: type[Record]) -> bool:
    return model.table_name == User.table_name
