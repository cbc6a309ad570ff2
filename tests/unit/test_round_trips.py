"""What a verb costs on a database over a network: how often it is asked and waited for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
import sqlalchemy as sa

from better_auth.adapters import SqlDatabaseAdapter
from better_auth.models import Session
from tests import databases
from tests.unit.test_adapters import NOW, opened, session, user

EXPECTED = {
    # A transaction that is one statement needs no BEGIN, no COMMIT, and no question beforehand
    # whether the connection is still there.
    "postgresql": {"find": 1, "insert": 1, "update": 1, "delete": 1, "take": 1},
    # Here taking is a transaction that begins, locks, deletes and commits.
    "mysql": {"find": 1, "insert": 1, "update": 1, "delete": 1, "take": 4},
}


class Wire:
    """A way to a server that counts how often the client spoke."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self.asked = 0

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        far_reader, far_writer = await asyncio.open_connection(*self._server)
        answers = asyncio.create_task(self._carry(far_reader, writer))
        while data := await reader.read(65536):
            self.asked += 1
            far_writer.write(data)
        far_writer.close()
        await answers

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def count(self, work: Awaitable[object]) -> int:
        """The round trips of ``work``."""
        before = self.asked
        await work
        return self.asked - before


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """A wire, and the URL of the database at its other end."""
    parts = sa.make_url(url)
    default = 5432 if parts.drivername == "postgresql" else 3306
    wire = Wire(parts.host or "127.0.0.1", parts.port or default)
    server = await asyncio.start_server(wire.connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    near = parts.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    # A wire is no pooler, though it looks like one: it keeps a connection's server.
    near += "&pooler=session" if default == 5432 else ""
    try:
        yield wire, near
    finally:
        server.close()


@pytest.mark.parametrize("kind", [kind for kind in EXPECTED if kind in databases.kinds()])
def test_one_statement_is_one_round_trip(kind: str) -> None:
    """A single insertion, change or deletion is committed by itself."""

    async def work(url: str) -> dict[str, int]:
        async with wire_to(url) as (wire, near), opened(SqlDatabaseAdapter(near)) as database:
            await database.insert(user(1))
            verbs: dict[str, Callable[[int], Awaitable[object]]] = {
                "insert": lambda number: database.insert(session(number)),
                "find": lambda number: database.find(Session, id=f"session-{number}"),
                "update": lambda number: database.update(
                    Session, {"updated_at": NOW}, id=f"session-{number}"
                ),
                "take": lambda number: database.take(Session, id=f"session-{number}"),
                "delete": lambda number: database.delete(Session, id=f"session-{number}"),
            }
            for verb in verbs.values():  # what is prepared once
                await verb(1)
            return {name: await wire.count(verb(2)) for name, verb in verbs.items()}

    with databases.new_database(kind) as url:
        assert asyncio.run(work(url)) == EXPECTED[kind]


@pytest.mark.parametrize("kind", [kind for kind in EXPECTED if kind in databases.kinds()])
def test_a_connection_that_ended_is_not_used(kind: str) -> None:
    """Every idle connection ended by the server, as a restart does: the next verbs work."""

    async def work(url: str, name: str) -> None:
        async with opened(SqlDatabaseAdapter(url)) as database:
            await database.insert(user(1))
            await asyncio.gather(*(database.count(Session) for _ in range(3)))
            await _end_connections(kind, name)
            assert await database.count(Session) == 0
            await database.insert(session(1))
            assert await database.count(Session) == 1

    with databases.new_database(kind) as url:
        name = sa.make_url(url).database or ""
        if kind == "postgresql":
            name = sa.make_url(url).query["search_path"]
            url += f"&application_name={name}"
        asyncio.run(work(url, name))


async def _end_connections(kind: str, name: str) -> None:
    """End the connections that go by ``name``: their program's, or their database's."""
    if kind == "postgresql":
        own = await asyncpg.connect(databases.POSTGRESQL)
        ended = await own.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
            name,
        )
        await own.close()
    else:
        cursor = databases._mysql()
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
        ended = cursor.fetchall()
        for (number,) in ended:
            cursor.execute(f"KILL {number}")
    assert len(ended) >= 2
    await asyncio.sleep(0.1)
