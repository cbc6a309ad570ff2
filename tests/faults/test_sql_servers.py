"""PostgreSQL and MariaDB stopped, restarted, frozen, read-only: 503 in a bounded time, and service
returns by itself."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest

from better_auth.errors import DatabaseUnavailable
from tests.conftest import Site
from tests.servers import MySqlServer, PostgresServer, mysql_server, postgres_server, until
from tests.support import PASSWORD, bearer

DATABASES = ["postgresql", "mysql"]
PATIENCE = 0.5
BOUND = 3 * PATIENCE + 1.5
"""Seconds within which every request is answered: a check waits ``3 * PATIENCE`` at most."""

MakeSite = Callable[..., Site]
Server = PostgresServer | MySqlServer


@pytest.fixture
def server(database_kind: str) -> Iterator[Server]:
    """A server to do things to."""
    with {"postgresql": postgres_server, "mysql": mysql_server}[database_kind]() as server:
        yield server


@pytest.fixture
def site(site_with: MakeSite, server: Server, is_cached: bool) -> Site:
    """An application on that server."""
    session = {"cache": {"enabled": is_cached}}
    return site_with(database=server.url, database_patience=PATIENCE, session=session)


def timed(ask: Callable[[], httpx.Response]) -> tuple[int, float]:
    """The status of an answer, and how long it took."""
    began = time.monotonic()
    answer = ask()
    if answer.status_code == 503:
        assert answer.json()["code"] == "SERVICE_UNAVAILABLE"
        assert answer.headers["retry-after"]
    return answer.status_code, time.monotonic() - began


def questions(site: Site, token: str) -> list[Callable[[], httpx.Response]]:
    """One request of each sort: the hot read, a listing, a write, a sign-in."""
    client = site.client()
    body = {"email": "ada@example.com", "password": PASSWORD}
    return [
        lambda: client.get("/get-session", headers=bearer(token)),
        lambda: client.get("/list-sessions", headers=bearer(token)),
        lambda: client.post("/revoke-session", json={"id": "other"}, headers=bearer(token)),
        lambda: client.post("/sign-in/email", json=body),
    ]


def signed_up(site: Site) -> str:
    """The token of a session whose user has a password."""
    body = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    token: str = site.client().post("/sign-up/email", json=body).json()["token"]
    return token


def test_stopped_and_started(site: Site, server: Server) -> None:
    """503 while it is down, at once; then as before, the sessions still there."""
    token = signed_up(site)
    asked = questions(site, token)
    assert [timed(ask)[0] for ask in asked] == [200] * 4
    server.stop()
    time.sleep(1.1)  # past what memory may be believed
    for _ in range(3):
        for ask in asked:
            status, took = timed(ask)
            assert (status, took < BOUND) == (503, True), (status, took)
    server.start()
    for _ in until(10):
        if [timed(ask)[0] for ask in asked] == [200] * 4:
            break
    else:
        pytest.fail("service did not return")


def test_restarted_under_load(site: Site, server: Server) -> None:
    """Every answer is 200 or 503, none is 401, and none takes long."""
    token = signed_up(site)
    over = threading.Event()
    seen: Counter[int] = Counter()
    longest = 0.0

    def ask() -> None:
        nonlocal longest
        hot = questions(site, token)[0]
        while not over.is_set():
            status, took = timed(hot)
            seen[status] += 1
            longest = max(longest, took)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(0.3)
        server.restart()
    time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join(20)
    assert set(seen) <= {200, 503}, seen
    assert seen[200] > 100
    assert longest < BOUND
    for _ in until(5):
        if timed(questions(site, token)[0])[0] == 200:
            break
    else:
        pytest.fail("service did not return")


def test_frozen(site: Site, server: Server) -> None:
    """A server that keeps silent: every request is answered within its bound, and memory is
    believed for no longer than the promise."""
    token = signed_up(site)
    asked = questions(site, token)
    assert [timed(ask)[0] for ask in asked] == [200] * 4
    with server.frozen():
        time.sleep(1.1)
        answers: list[tuple[int, float]] = []
        threads = [
            threading.Thread(target=lambda ask=ask: answers.append(timed(ask)))  # type: ignore[misc]
            for ask in asked * 6
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(answers) == len(threads), "some request hangs"
        assert {status for status, _ in answers} == {503}
        assert max(took for _, took in answers) < 2 * BOUND, answers
    for _ in until(10):
        if [timed(ask)[0] for ask in asked] == [200] * 4:
            break
    else:
        pytest.fail("service did not return")


def test_frozen_with_many_who_wait(site: Site, server: Server) -> None:
    """However many checks there are, each is answered within the bound."""
    token = signed_up(site)
    manager = site.auth.sessions

    async def check() -> float:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await manager.resolve(token)
        return time.monotonic() - began

    async def work() -> list[float]:
        return await asyncio.gather(*(check() for _ in range(2000)))

    with server.frozen():
        time.sleep(1.1)  # past what memory may be believed
        assert max(site.run(work())) < BOUND
    for _ in until(10):
        if timed(questions(site, token)[0])[0] == 200:
            break
    else:
        pytest.fail("service did not return")


def test_read_only(site: Site, server: Server) -> None:
    """ "The database down, slow, restarted or read-only": as after a failover to a standby. Checks
    and listings go on, a refresh that is due waits, changes are told to be tried again."""
    token = signed_up(site)
    asked = questions(site, token)
    new = {"name": "Bob", "email": "bob@example.com", "password": PASSWORD}
    sign_up = lambda: site.client().post("/sign-up/email", json=new)  # noqa: E731
    site.clock.move(days=2)
    server.read_only(True)
    for _ in until(10):
        if timed(sign_up)[0] == 503:
            break
    else:
        pytest.fail("it is not read-only")
    assert [timed(ask)[0] for ask in asked] == [200, 200, 503, 503]
    server.read_only(False)
    for _ in until(10):
        if [timed(ask)[0] for ask in asked] == [200] * 4:
            break
    else:
        pytest.fail("service did not return")
    assert timed(sign_up)[0] == 200
