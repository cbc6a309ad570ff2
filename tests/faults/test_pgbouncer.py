"""PostgreSQL behind PgBouncer in transaction mode, with fewer servers than clients.

"Works behind PgBouncer in transaction mode (the listener takes a direct URL of its own)."
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from better_auth import ConfigurationError
from better_auth.adapters import SqlDatabaseAdapter
from tests.conftest import Site
from tests.contract.test_cache import cache_of
from tests.integration.commands import run as command
from tests.servers import PostgresServer, pgbouncer, postgres_server, until
from tests.support import bearer, every_plugin, make_auth

DATABASES = ["postgresql"]
SERVERS = 2
"""So few that statements of one client run on any of them, among those of others."""

MakeSite = Callable[..., Site]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """PostgreSQL itself."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def pooler(server: PostgresServer) -> Iterator[str]:
    """Where the pooler before it listens."""
    with pgbouncer(server, SERVERS) as url:
        yield url


@pytest.fixture
def site_behind(site_with: MakeSite, pooler: str, request: pytest.FixtureRequest) -> MakeSite:
    """Applications behind the pooler, each test's tables its own."""
    number = abs(hash(request.node.nodeid)) % 10**8

    def make(**settings: Any) -> Site:
        names = {"prefix": f"t{number}_"}
        return site_with(database=f"{pooler}?pooler=transaction", database_names=names, **settings)

    return make


def test_everything_under_load(site_behind: MakeSite) -> None:
    """Sign-ups, sign-ins, checks, listings and revocations of two applications at once, over two
    servers: each is answered as it should be, and nobody with what is another's."""
    sites = [site_behind(plugins=every_plugin()) for _ in range(2)]
    failed: list[str] = []

    def work(number: int) -> None:
        site = sites[number % 2]
        user = site.user(f"u{number}@example.com")
        tokens = [site.session(user).token for _ in range(3)]
        client = site.client()
        for turn in range(20):
            for token in tokens:
                found = client.get("/get-session", headers=bearer(token))
                if found.status_code != 200 or found.json()["user"]["id"] != user.id:
                    failed.append(f"{number}.{turn}: {found.text}")
        listed = client.get("/list-sessions", headers=bearer(tokens[0])).json()["sessions"]
        if {one["token"] for one in listed} != set(tokens):
            failed.append(f"{number}: {listed}")
        ended = client.post("/revoke-other-sessions", headers=bearer(tokens[0])).json()
        if ended != {"count": 2}:
            failed.append(f"{number}: {ended}")

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    assert failed == []
    browser = sites[0].browser()
    assert browser.sign_up().status_code == 200
    assert sites[1].browser().sign_in().status_code == 200
    for site in sites:
        assert site.run(site.auth.database.migrate()) == []


def test_the_listener_goes_past_it(site_behind: MakeSite, server: PostgresServer) -> None:
    """With its own way to the server, memory is kept right: what one application revokes another
    does not accept beyond the promise."""
    cached = {"session": {"cache": {"enabled": True, "listen_url": server.url}}}
    one, two = site_behind(**cached), site_behind(**cached)
    for _ in until(10):
        if cache_of(two.auth).is_current:
            break
    user = one.user()
    worst = 0.0
    for _ in range(5):
        token = one.session(user).token
        client = two.client()
        hits = cache_of(two.auth).statistics.hits
        for _ in until(10, 0.001):
            assert client.get("/get-session", headers=bearer(token)).status_code == 200
            if cache_of(two.auth).statistics.hits > hits:
                break
        one.run(one.auth.sessions.revoke_all(user.id))
        acknowledged = time.monotonic()
        while client.get("/get-session", headers=bearer(token)).status_code == 200:
            worst = time.monotonic() - acknowledged
            assert worst <= 1.0
    print(f"behind PgBouncer: last accepted {worst * 1000:.1f} ms after the revocation")


def test_a_pooler_is_not_taken_for_the_server(pooler: str, tmp_path: Path) -> None:
    """An URL that says nothing of the pooler is refused at start, before a statement could be
    mistaken for another program's; by the next process as well."""
    for _ in range(SERVERS + 1):
        done = command("migrate", "--database", pooler, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "pooler=transaction" in done.stderr


def run(work: Callable[[], Any]) -> None:
    """Run in an event loop of its own."""
    asyncio.run(work())


def test_what_does_not_go_together(pooler: str) -> None:
    """Memory without a listener's own way is refused, and so is an unknown pooler."""
    url = f"{pooler}?pooler=transaction"
    with pytest.raises(ConfigurationError, match=r"session\.cache\.listen_url"):
        make_auth(database=url, session={"cache": {"enabled": True}})
    with pytest.raises(ConfigurationError, match="pooler"):
        SqlDatabaseAdapter(f"{pooler}?pooler=statement")


def test_hosts_that_start_at_once(pooler: str) -> None:
    """Four applications bring an empty database up at once, through the pooler: all start."""
    url = f"{pooler}?pooler=transaction"
    failed: list[BaseException] = []

    async def work() -> None:
        auth = make_auth(database=url, database_names={"prefix": "together_"})
        await auth.start()
        await auth.stop()

    def start() -> None:
        try:
            run(work)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
