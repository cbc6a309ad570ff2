"""One Redis, whatever stands behind its URL: a server, Sentinel's master, or a cluster.

By redis-py. Only the hot read takes a shorter way: redis-py's connections, without its pool.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha1
from inspect import signature
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from better_auth.adapters.failures import said
from better_auth.adapters.lanes import HotReader, Lane
from better_auth.errors import ConfigurationError, DatabaseUnavailable, MissingExtra

try:
    from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, Sentinel
    from redis.asyncio.cluster import ClusterNode
    from redis.asyncio.connection import Connection, parse_url
    from redis.asyncio.retry import Retry
    from redis.asyncio.sentinel import MasterNotFoundError
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.exceptions import NoScriptError, RedisClusterException, RedisError
except ImportError:
    raise MissingExtra("session.store.url", "redis") from None

logger = logging.getLogger("better_auth.database")

Command = Sequence[Any]
"""The name and the arguments of a command."""


class Copies(NamedTuple):
    """What is in Redis of a session and its user."""

    session: bytes | None
    user: bytes | None
    at: bytes
    """When, as the server that holds them says it; empty where it was not asked."""


READING_CONNECTIONS = 2
"""Connections kept for the hot read."""

FAILURES: tuple[type[Exception], ...] = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What redis-py raises (a cluster's are no ``RedisError``), and what a server's silence becomes."""


@asynccontextmanager
async def translated_errors() -> AsyncIterator[None]:
    """Turns what redis-py raises into ``DatabaseUnavailable``, the reason into the log."""
    try:
        yield
    except FAILURES as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> DatabaseUnavailable:
    """What is answered for ``error``; the reason goes into the log."""
    if isinstance(error, MasterNotFoundError):  # goes on with all that each client is made of
        error.args = (str(error).partition(" : <")[0],)
    logger.error("redis unavailable: %s", said(error))
    return DatabaseUnavailable()


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL names.

    ``redis://``, ``rediss://`` (TLS) and ``unix://`` are redis-py's own. With ``+sentinel``
    (``redis+sentinel://user:password@one:26379,two:26379/mymaster/0``) and ``+cluster``
    (``rediss+cluster://one:6379,two:6379``) there may be several hosts. TLS is to Sentinel as well,
    unless ``sentinel_tls=false``.
    """

    url: str
    kind: str
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    sentinel_password: str | None = None
    sentinel_tls: bool = False

    @classmethod
    def of(cls, url: str) -> "Address":
        """Raises ``ConfigurationError``, which does not repeat the URL: it may hold a password."""
        wrong = ConfigurationError(
            "session.store.url is none such as redis://host:6379/0, "
            "redis+sentinel://one:26379,two:26379/mymaster or redis+cluster://one:6379,two:6379, "
            "or has an option after the ? that redis-py does not know"
        )
        parts = urlsplit(url)
        plain, _, kind = parts.scheme.partition("+")
        if parts.scheme in ("redis", "rediss", "unix"):
            if not _is_understood(url):
                raise wrong
            return cls(url, "server")
        if plain not in ("redis", "rediss") or kind not in ("sentinel", "cluster"):
            raise wrong
        access, _, hosts = parts.netloc.rpartition("@")
        user, _, password = access.partition(":")
        default = 26379 if kind == "sentinel" else 6379
        query = dict(parse_qsl(parts.query))
        sentinel_password = query.pop("sentinel_password", None)
        sentinel_tls = plain == "rediss" and query.pop("sentinel_tls", "true") != "false"
        service, _, database = parts.path.strip("/").partition("/")
        try:
            named = tuple(_host_and_port(host, default) for host in hosts.split(","))
            options: dict[str, Any] = {**parse_url(f"redis://?{urlencode(query)}")}
            if kind == "sentinel":
                options["db"] = int(database or 0)
        except ValueError:
            raise wrong from None
        known = signature(RedisCluster if kind == "cluster" else Redis).parameters
        if not all(host for host, _ in named) or (kind == "sentinel") != bool(service):
            raise wrong
        if not options.keys() <= known.keys():
            raise wrong
        if user:
            options["username"] = unquote(user)
        if password:
            options["password"] = unquote(password)
        if plain == "rediss":
            options["ssl"] = True
        given = tuple(options.items())
        return cls(url, kind, named, service, given, sentinel_password, sentinel_tls)


def _is_understood(url: str) -> bool:
    """Whether redis-py would take all of ``url``; it finds out when it connects, or never."""
    path = urlsplit(url).path.strip("/")
    try:
        options: dict[str, Any] = {**parse_url(url)}
        kind = options.pop("connection_class", Connection)
        kind(**{name: options[name] for name in options.keys() - {"max_connections", "timeout"}})
    except (ValueError, TypeError):
        return False
    return url.startswith("unix:") or not path or path.isdecimal()


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "", parts.port or default


class RedisClient:
    """Commands and the hot read, each answered or refused within a bounded time."""

    def __init__(self, url: str, *, pool_size: int, patience: float) -> None:
        """``patience``: seconds that a connection or a command may take. Raises
        ``ConfigurationError`` for a URL that is none of Redis."""
        self.address = Address.of(url)
        self.patience = patience
        self._pool_size = pool_size
        self._has_warned = False
        self._made: Any = None
        self._sentinel: Any = None
        self._hot: HotReader[Copies] | None = None

    @property
    def is_cluster(self) -> bool:
        """Whether keys are on several servers."""
        return self.address.kind == "cluster"

    @property
    def client(self) -> Any:
        """redis-py's client, made in the event loop that uses it."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> Any:
        address = self.address
        common: dict[str, Any] = {
            "socket_timeout": self.patience,
            "socket_connect_timeout": self.patience,
            "protocol": 2,
            # Whoever asked may ask again; what was changed and not answered must not be twice.
            "retry": Retry(NoBackoff(), 1 if self.is_cluster else 0),
        }
        options = {**common, **dict(address.options)}
        if address.kind == "cluster":
            nodes = [ClusterNode(host, port) for host, port in address.hosts]
            return RedisCluster(startup_nodes=nodes, **options)
        if address.kind == "sentinel":
            login = {"password": address.sentinel_password} if address.sentinel_password else {}
            tls = {name: options[name] for name in options if name.startswith("ssl")}
            asked = {**common, **login, **(tls if address.sentinel_tls else {})}
            make_sentinel: Any = Sentinel  # without types
            self._sentinel = make_sentinel(address.hosts, sentinel_kwargs=asked, **options)
            return self._sentinel.master_for(address.service)
        size, wait = self._pool_size + 1, self.patience  # one listens
        pool = BlockingConnectionPool.from_url(
            address.url, max_connections=size, timeout=wait, **common
        )
        return Redis.from_pool(pool)  # which closes it, too

    async def run(self, *commands: Command) -> list[Any]:
        """What ``commands`` answer, one after the other; one round trip but on a cluster.

        Raises ``DatabaseUnavailable``.
        """
        async with translated_errors(), asyncio.timeout(3 * self.patience):
            if self.is_cluster:
                return [await self.client.execute_command(*command) for command in commands]
            if len(commands) == 1:
                return [await self.client.execute_command(*commands[0])]
            pipeline = self.client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute()
            return answers

    async def warn_of_eviction(self) -> None:
        """Say in the log where a full server throws away what it holds: whoever is signed in, or
        that a copy is being changed; once. A cluster's servers, and one that does not tell, are not
        asked."""
        if self.is_cluster or self._has_warned:
            return
        try:
            memory = await self.client.info("memory")
        except FAILURES:
            return
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction" and memory.get("maxmemory"):
            self._has_warned = True
            logger.warning("redis: maxmemory-policy is %s; sessions need noeviction", policy)

    async def scan(self, pattern: str, count: int) -> AsyncIterator[list[bytes]]:
        """The keys that match ``pattern``, some ``count`` at a time; one may come twice."""
        batch: list[bytes] = []
        async with translated_errors():
            async for key in self.client.scan_iter(match=pattern, count=count):
                batch.append(key)
                if len(batch) >= count:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def hot_reader(self, script: str, *arguments: str) -> HotReader[Copies]:
        """``script`` with any number of keys, which answers a pair for each, as one function.

        Not for a cluster, where keys are on several servers.
        """
        pool = self.client.connection_pool
        lanes = [
            RedisLane(pool, script, arguments, self.patience) for _ in range(READING_CONNECTIONS)
        ]
        self._hot = HotReader(lanes, self.patience)
        return self._hot

    async def close(self) -> None:
        """Release every connection."""
        if self._hot is not None:
            self._hot.close()
            self._hot = None
        client, self._made = self._made, None
        if client is not None:
            await client.aclose()
        if self._sentinel is not None:
            await asyncio.gather(*(one.aclose() for one in self._sentinel.sentinels))
            self._sentinel = None


def _bulk(text: str) -> bytes:
    """An argument as Redis reads it; redis-py takes ten times as long to write a command."""
    raw = text.encode()
    return b"$%d\r\n%b\r\n" % (len(raw), raw)


class RedisLane(Lane[Copies]):
    """A connection of redis-py's that runs one script, by the hash of it once it is known."""

    def __init__(self, pool: Any, script: str, arguments: Sequence[str], patience: float) -> None:
        super().__init__()
        self._pool = pool
        self._script = script
        self._hash = sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._arguments = b"".join(map(_bulk, arguments))
        self._parts = 3 + len(arguments)
        self._patience = patience

    async def one(self, key: str) -> Copies | None:
        return Copies(*await self.tried(lambda: self._ask([key])))

    async def many(self, keys: set[str]) -> dict[str, Copies]:
        asked = list(keys)
        found = await self.tried(lambda: self._ask(asked))
        at = found.pop()
        pairs = zip(asked, found[::2], found[1::2], strict=True)
        return {key: Copies(session, user, at) for key, session, user in pairs}

    async def open(self) -> None:
        # As the pool makes them, Sentinel's included, but for a limit on every single read:
        # one is set around the whole question.
        settings = {**self._pool.connection_kwargs, "socket_timeout": None}
        self.connection = self._pool.connection_class(**settings)
        async with asyncio.timeout(self._patience):
            await self.connection.connect()

    async def _ask(self, keys: Sequence[str]) -> list[Any]:
        async with asyncio.timeout(self._patience):
            try:
                return await self._run("EVALSHA", self._hash, keys)
            except NoScriptError:
                return await self._run("EVAL", self._script, keys)

    async def _run(self, command: str, script: str, keys: Sequence[str]) -> list[Any]:
        connection = self.connection
        head = b"*%d\r\n" % (self._parts + len(keys))
        asked = b"".join(map(_bulk, (command, script, str(len(keys)), *keys)))
        await connection.send_packed_command(head + asked + self._arguments, check_health=False)
        answer = await connection.read_response()
        if isinstance(answer, Exception):
            raise answer
        found: list[Any] = answer
        return found

    def drop(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection._close()

    def may_be_stale(self, error: BaseException) -> bool:
        return isinstance(error, (RedisConnectionError, ConnectionError))
