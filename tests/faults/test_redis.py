"""Redis stopped, frozen, flushed, read-only: bounded answers, no session back from the dead."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from better_auth.errors import DatabaseUnavailable
from tests import databases
from tests.conftest import Site
from tests.servers import RedisServer, until
from tests.support import bearer

DATABASES = [kind for kind in databases.kinds() if kind in databases.WITH_REDIS]
PATIENCE = 0.4
BOUND = 3 * PATIENCE + 1.5
"""Seconds within which every request is answered."""

MakeSite = Callable[..., Site]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server to do things to, which forgets nothing that it acknowledged."""
    made = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    yield made
    made.stop()


@pytest.fixture
def keeps_table(database_kind: str) -> bool:
    """Whether the table of sessions is there without Redis."""
    return database_kind == "redis-and-table"


@pytest.fixture
def site(site_with: MakeSite, server: RedisServer, keeps_table: bool, tmp_path: Path) -> Site:
    """An application whose sessions are there."""
    return site_with(
        database=f"sqlite:///{tmp_path / 'auth.db'}",
        database_patience=PATIENCE,
        session={"store": {"url": server.url, "keep_table": keeps_table}},
    )


def timed(ask: Callable[[], httpx.Response]) -> int:
    """The status of an answer that came in time."""
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < BOUND
    if answer.status_code == 503:
        assert answer.json()["code"] == "SERVICE_UNAVAILABLE"
        assert answer.headers["retry-after"]
    return answer.status_code


def check(site: Site, token: str) -> Callable[[], httpx.Response]:
    """Asks whether ``token`` is let in."""
    client = site.client()
    return lambda: client.get("/get-session", headers=bearer(token))


def sign_out(site: Site, token: str) -> Callable[[], httpx.Response]:
    """Signs ``token`` out."""
    client = site.client()
    return lambda: client.post("/sign-out", headers=bearer(token))


def comes_back(ask: Callable[[], httpx.Response], status: int = 200) -> None:
    """By itself, soon."""
    for _ in until(10):
        if timed(ask) == status:
            return
    pytest.fail("service did not return")


def test_stopped_and_started(site: Site, server: RedisServer, keeps_table: bool) -> None:
    """503 while it is down, or what the table says; nobody is told to be signed out who is not;
    then as before, the sessions still there."""
    user = site.user()
    stays, goes = site.session(user).token, site.session(user).token
    assert [timed(check(site, token)) for token in (stays, goes)] == [200, 200]
    server.stop()
    expected = 200 if keeps_table else 503
    assert [timed(check(site, stays)) for _ in range(3)] == [expected] * 3
    assert timed(sign_out(site, goes)) == 503
    server.start()
    comes_back(check(site, stays))
    comes_back(check(site, goes))
    comes_back(sign_out(site, goes))
    assert timed(check(site, goes)) == 401
    assert timed(check(site, stays)) == 200


def test_frozen(site: Site, server: RedisServer, keeps_table: bool) -> None:
    """A server that keeps silent: every request is answered within its bound."""
    user = site.user()
    tokens = [site.session(user).token for _ in range(8)]
    assert {timed(check(site, token)) for token in tokens} == {200}
    answers: list[int] = []
    with server.frozen():
        threads = [
            threading.Thread(target=lambda ask=check(site, token): answers.append(timed(ask)))  # type: ignore[misc]
            for token in tokens * 3
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(answers) == len(threads), "some request hangs, or came late"
        assert set(answers) == ({200} if keeps_table else {503})
        assert timed(sign_out(site, tokens[0])) == 503
    comes_back(check(site, tokens[1]))


def test_restarted_under_load(site: Site, server: RedisServer, keeps_table: bool) -> None:
    """Every answer is 200 or 503, none is 401; with the table kept all are 200."""
    ask = check(site, site.session(site.user()).token)
    over = threading.Event()
    seen: list[int] = []

    def work() -> None:
        while not over.is_set():
            seen.append(timed(ask))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(0.3)
        server.stop()
        time.sleep(0.1)
        server.start()
    time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join(20)
    assert set(seen) <= ({200} if keeps_table else {200, 503})
    assert seen.count(200) > 100
    comes_back(ask)


def test_flushed_and_restarted(site: Site, server: RedisServer, keeps_table: bool) -> None:
    """ "Losing Redis loses no session when the table is kept too", and brings none back: what was
    revoked before is still out, and what is revoked afterwards as well."""
    user = site.user()
    stays, before, after = (site.session(user).token for _ in range(3))
    for token in (stays, before, after):
        assert timed(check(site, token)) == 200
    assert timed(sign_out(site, before)) == 200
    assert timed(check(site, stays)) == 200
    server.ask("FLUSHALL")
    server.stop()
    server.start()
    comes_back(check(site, stays), 200 if keeps_table else 401)
    assert timed(check(site, before)) == 401
    for _ in range(3):
        assert timed(check(site, after)) == (200 if keeps_table else 401)
    assert timed(sign_out(site, after)) == (200 if keeps_table else 401)
    assert timed(check(site, after)) == 401
    new = site.session(user).token
    assert [timed(check(site, new)) for _ in range(3)] == [200] * 3


def test_restarted_with_what_was_saved_before(
    site_with: MakeSite, keeps_table: bool, tmp_path: Path
) -> None:
    """As it comes, Redis remembers after a crash what it was told some time ago: a copy that had
    been dropped since is not believed."""
    server = RedisServer(tmp_path)
    try:
        site = site_with(
            database=f"sqlite:///{tmp_path / 'auth.db'}",
            session={"store": {"url": server.url, "keep_table": keeps_table}},
        )
        user = site.user()
        stays, goes = site.session(user).token, site.session(user).token
        assert [timed(check(site, token)) for token in (stays, goes)] == [200, 200]
        server.ask("SAVE")
        site.run(site.auth.users.update(user, {"name": "Grace"}))
        if keeps_table:
            assert timed(sign_out(site, goes)) == 200
        server.stop()
        server.start()
        comes_back(check(site, stays))
        for _ in range(3):
            assert check(site, stays)().json()["user"]["name"] == "Grace"
            assert timed(check(site, goes)) == (401 if keeps_table else 200)
        server.ask("SAVE")
        assert timed(check(site, stays)) == 200
    finally:
        server.stop()


def test_read_only(site: Site, server: RedisServer) -> None:
    """A server that may not be written to: checks go on, changes are 503, neither is a 500."""
    user = site.user()
    token = site.session(user).token
    assert [timed(check(site, token)) for _ in range(2)] == [200, 200]
    server.ask("CONFIG", "SET", "min-replicas-to-write", "1")
    assert timed(check(site, token)) == 200
    assert timed(sign_out(site, token)) == 503
    assert timed(check(site, token)) == 200
    server.ask("CONFIG", "SET", "min-replicas-to-write", "0")
    assert timed(sign_out(site, token)) == 200
    assert timed(check(site, token)) == 401


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_a_server_that_evicts_is_warned_of(
    server: RedisServer, policy: str, site_with: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it would throw sessions away for want of memory, the log says so, once."""
    server.ask("CONFIG", "SET", "maxmemory", "100mb")
    server.ask("CONFIG", "SET", "maxmemory-policy", policy)
    site = site_with(database="sqlite://", session={"store": {"url": server.url}})
    site.client().get("/ok")
    site.run(site.auth.stop())
    site.run(site.auth.start())
    warned = [r.getMessage() for r in caplog.records if "maxmemory-policy" in r.getMessage()]
    assert len(warned) == (policy != "noeviction")


def test_forgotten_in_the_middle_of_a_change(
    site: Site, site_with: MakeSite, server: RedisServer, keeps_table: bool, tmp_path: Path
) -> None:
    """Redis forgets that the table is being changed, flushed or restarted or told too long ago:
    what others copy then is gone when the change is acknowledged."""
    user = site.user()
    session = site.session(user)
    other = site_with(
        database=f"sqlite:///{tmp_path / 'auth.db'}",
        session={"store": {"url": server.url, "keep_table": keeps_table}},
    )

    def changed(work: Coroutine[Any, Any, object]) -> httpx.Response:
        with closing(sqlite3.connect(tmp_path / "auth.db", isolation_level=None)) as program:
            program.execute("BEGIN IMMEDIATE")
            changing = asyncio.run_coroutine_threadsafe(work, site.loop)
            key = f"better-auth:{{{user.id}}}:fence"
            assert any(server.ask("DEL", key) == b":1\r\n" for _ in until(5))
            assert check(other, session.token)().json()["user"]["name"] == "Ada"
            program.execute("ROLLBACK")
        changing.result(10)
        return check(other, session.token)()

    if keeps_table:
        assert changed(site.auth.sessions.revoke(session)).status_code == 401
    else:
        answer = changed(site.auth.users.update(user, {"name": "Grace"}))
        assert answer.json()["user"]["name"] == "Grace"


async def eventually(ask: Callable[[], Awaitable[object]]) -> None:
    """Wait, for half a minute at most, until what ``ask`` answers is something."""
    async with asyncio.timeout(30):
        while not await ask():  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("why", ["gone", "out of patience"])
def test_a_change_that_is_not_waited_for(
    site_with: MakeSite, server: RedisServer, keeps_table: bool, why: str
) -> None:
    """Whoever asked for it does not wait any longer, and the table changes all the same, later: no
    copy is made of what was before."""
    session = {"store": {"url": server.url, "keep_table": keeps_table}}
    patience = PATIENCE if why == "out of patience" else 10
    with databases.new_database("postgresql") as url:
        url += "&statement_timeout=0"  # whose own it is, or the server would give up as well
        site = site_with(database=url, session=session, database_patience=patience)
        other = site_with(database=url, session=session)
        user = site.user()
        token = site.session(user).token
        client = other.client()

        async def name() -> str:
            answer = await asyncio.to_thread(client.get, "/get-session", headers=bearer(token))
            return str(answer.json()["user"]["name"])

        async def work() -> None:
            program = await asyncpg.connect(url)
            transaction = program.transaction()
            await transaction.start()
            await program.execute('SELECT FROM "user" FOR UPDATE')
            changing = asyncio.run_coroutine_threadsafe(
                site.auth.users.update(user, {"name": "Grace"}), site.loop
            )
            waits = "SELECT FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            await eventually(lambda: program.fetch(waits))
            if why == "gone":
                changing.cancel()
            else:
                with pytest.raises(DatabaseUnavailable):
                    await asyncio.wrap_future(changing)
            assert [await name() for _ in range(3)] == ["Ada"] * 3
            await transaction.rollback()
            await eventually(lambda: program.fetch("SELECT FROM \"user\" WHERE name = 'Grace'"))
            assert await name() == "Grace"
            await program.close()

        asyncio.run(work())
        for one in (site, other):
            one.run(one.auth.stop())


def test_the_process_dies_between_table_and_redis(
    site: Site, site_with: MakeSite, server: RedisServer, keeps_table: bool, tmp_path: Path
) -> None:
    """A change that reached the table, by a process that never came to say so: no copy of what was
    is made, by anybody."""
    user = site.user()
    token = site.session(user).token
    assert timed(check(site, token)) == 200
    other = site_with(
        database=f"sqlite:///{tmp_path / 'auth.db'}",
        session={"store": {"url": server.url, "keep_table": keeps_table}},
    )

    async def dies(*_: object) -> None:
        """Instead of lifting."""

    other.auth.database._store.lift = dies  # type: ignore[attr-defined]
    other.run(other.auth.users.update(user, {"name": "Grace"}))
    for _ in range(3):
        assert check(site, token)().json()["user"]["name"] == "Grace"
    other.run(other.auth.users.update(user, {"name": "Edith"}))
    assert check(site, token)().json()["user"]["name"] == "Edith"
