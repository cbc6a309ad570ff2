"""Sessions in Redis: what stands there, for how long, and that nothing there outlives the truth."""

import asyncio
import gc
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis as redis_py

from better_auth import BetterAuth, ConfigurationError
from better_auth.adapters import SessionCache
from better_auth.adapters.redis import RedisDatabaseAdapter
from better_auth.adapters.redis_client import Address
from better_auth.adapters.redis_store import BELIEVED
from better_auth.errors import DatabaseUnavailable
from better_auth.events import SessionUpdating
from tests import databases
from tests.conftest import Site
from tests.faults.test_mysql_tls import certificate
from tests.servers import RedisServer, free_port, until
from tests.support import every_plugin, make_auth

DATABASES = [kind for kind in databases.kinds() if kind in databases.WITH_REDIS]
CACHED = {"cache": {"enabled": True}}
MakeSite = Callable[..., Site]


def adapter(site: Site) -> RedisDatabaseAdapter:
    """The site's database."""
    assert isinstance(site.auth.database, RedisDatabaseAdapter)
    return site.auth.database


def server() -> "redis_py.Redis":
    """The tests' own server, as another program sees it."""
    return redis_py.Redis.from_url(databases.redis_url())


def keys(site: Site) -> dict[str, int]:
    """The site's keys, without its prefix, and the milliseconds each has left."""
    prefix = adapter(site)._store.prefix
    with server() as connection:
        found = [key.decode() for key in connection.scan_iter(match=prefix + "*", count=1000)]
        return {key.removeprefix(prefix): connection.pttl(key) for key in found}


def is_in(site: Site, token: str) -> bool:
    """Whether a check lets ``token`` in."""
    return site.run(site.auth.sessions.resolve(token)) is not None


@pytest.fixture
def pair(site_with: MakeSite, database_url: str) -> Callable[..., list[Site]]:
    """Two servers of one deployment."""

    def make(**session: Any) -> list[Site]:
        return [site_with(database=database_url, session=session) for _ in range(2)]

    return make


def test_no_key_without_an_end(site_with: MakeSite) -> None:
    """ "no key without TTL", and none that lives longer than what it stands for."""
    site = site_with(plugins=every_plugin(), session=CACHED)
    user = site.user()
    sessions = [site.session(user) for _ in range(3)]
    sessions.append(site.session(user, fields={"impersonated_by": "admin"}))
    sessions.append(site.session(user, fields={"active_organization_id": "house"}))
    assert all(is_in(site, session.token) for session in sessions)
    site.clock.move(days=2)
    assert all(is_in(site, session.token) for session in sessions)
    manager = site.auth.sessions
    site.run(manager.rotate(site.run(manager.resolve(sessions[0].token)).session))
    site.run(manager.revoke(sessions[1]))
    site.run(site.auth.users.update(user, {"name": "Grace"}))
    week, margin = 7 * 86_400_000, 120_000
    assert keys(site)
    for key, left in keys(site).items():
        assert 0 < left <= week + margin, key


@pytest.mark.parametrize("moved", [-1.0, 0.0, 0.001, 1e6])
def test_an_end_that_has_passed(site_with: MakeSite, moved: float) -> None:
    """ "near-expiry refresh never calls set with ttl <= 0": a session made, or refreshed, when by
    its server's clock it has ended already is no key for ever."""
    site = site_with(session={"update_age": 0})
    user = site.user()
    token = site.session(user).token

    async def late() -> None:
        @site.auth.on(SessionUpdating)
        def move(event: SessionUpdating) -> None:
            site.clock.move(days=7, seconds=moved)

        await site.auth.sessions.resolve(token)

    site.clock.move(days=1)
    site.run(late())
    assert all(left > 0 for left in keys(site).values())


def test_a_stolen_dump_opens_nothing(site: Site) -> None:
    """ "A stolen Redis dump opens nothing": neither keys nor values hold a token."""
    user = site.user()
    tokens = [site.session(user).token for _ in range(3)]
    assert all(is_in(site, token) for token in tokens)
    prefix = adapter(site)._store.prefix
    with server() as connection:
        names = list(connection.scan_iter(match=prefix + "*", count=1000))
        dump = b"".join([*names, *(connection.dump(name) or b"" for name in names)])
        plain = [connection.get(n) for n in names if connection.type(n) == b"string"]
        hashes = [connection.hgetall(n) for n in names if connection.type(n) == b"hash"]
    values = [value for one in hashes for value in one.values()] + [v for v in plain if v]
    text = dump + b"".join(values)
    assert user.email.encode() in text, "this is where the data is"
    for token in tokens:
        body = token.removeprefix("session_")
        raw = urlsafe_b64decode(body + "=" * (-len(body) % 4))
        for needle in (body.encode(), raw, raw.hex().encode()):
            assert needle not in text
    for value in [*names, *values]:
        assert not is_in(site, value.decode())


def test_nothing_outlives_its_user(site_with: MakeSite) -> None:
    """ "secondary-storage sessions outlived user deletion ... delete user by every route; all keys
    gone": what stays for a minute says that the user is gone."""
    site = site_with(plugins=every_plugin())
    user = site.user()
    tokens = [site.session(user).token for _ in range(3)]
    assert all(is_in(site, token) for token in tokens)
    site.run(site.auth.users.delete(user))
    assert not any(is_in(site, token) for token in tokens)
    left = {key for key in keys(site) if not key.startswith("token:")}
    assert left == {f"{{{user.id}}}:fence"}


def test_no_session_for_a_user_deleted_meanwhile(site: Site) -> None:
    """A sign-in that was on its way when its user was deleted makes no session."""
    user = site.user()
    site.run(site.auth.users.delete(user))
    with pytest.raises(Exception, match="valid session"):
        site.session(user)
    assert not [key for key in keys(site) if key.endswith(":sessions")]


def test_the_list_is_what_there_is(site: Site) -> None:
    """ "concurrent sign-ins lose index entries": signed in and out by many at once, what is listed
    is what is let in, and revoking all leaves none."""
    user = site.user()
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: site.session(user), range(64)))
        ended = made[::3]
        list(pool.map(lambda session: site.run(site.auth.sessions.revoke(session)), ended * 2))
    gone = {session.id for session in ended}
    listed = site.run(site.auth.sessions.list_for(user.id))
    assert {session.id for session in listed} == {session.id for session in made} - gone
    for session in made:
        assert is_in(site, session.token) == (session.id not in gone)

    async def both() -> tuple[list[Any], list[Any]]:
        sign_ins = asyncio.gather(*(site.auth.sessions.create(user) for _ in range(20)))
        revoking = asyncio.create_task(site.auth.sessions.revoke_all(user.id))
        return list(await sign_ins), await revoking

    late, revoked = site.run(both())
    assert {session.id for session in made} - gone <= {session.id for session in revoked}
    listed = site.run(site.auth.sessions.list_for(user.id))
    assert {session.id for session in listed} == (
        {session.id for session in late} - {session.id for session in revoked}
    )


def test_expired_ones_are_cleared_away(site: Site) -> None:
    """ "the list is never pruned": who signs in again and again keeps no heap of ended sessions."""
    user = site.user()
    for _ in range(40):
        site.session(user, remember=False)
        site.clock.move(days=1)
    if adapter(site)._keeps_table:
        return
    with server() as connection:
        name = f"{adapter(site)._store.prefix}{{{user.id}}}:sessions"
        assert connection.hlen(name) <= 16


def test_an_old_token_leads_nowhere(site: Site) -> None:
    """After a rotation the old token is dead, though it still leads to where the session is."""
    session = site.session(site.user())
    assert is_in(site, session.token)
    with server() as connection:
        where = adapter(site)._store.of_token(session.token_key)
        located = connection.get(where)
        new = site.run(site.auth.sessions.rotate(session))
        connection.set(where, located or b"", px=60_000)
    assert not is_in(site, session.token)
    assert is_in(site, new.token)


def test_what_one_server_changes_the_other_shows(pair: Callable[..., list[Site]]) -> None:
    """ "what a session check answers must show the current user": at once, on every server."""
    here, there = pair()
    user = here.user()
    session = here.session(user)
    for name in ("Grace", "Edith", "Mary"):
        assert is_in(there, session.token)
        here.run(here.auth.users.update(user, {"name": name}))
        found = there.run(there.auth.sessions.resolve(session.token))
        assert found is not None
        assert found.user.name == name
    here.run(here.auth.sessions.revoke(session))
    assert not is_in(there, session.token)


def test_a_copy_made_too_late(pair: Callable[..., list[Site]], monkeypatch: Any) -> None:
    """ "revoked session restored by DB fallback", "healing could resurrect": who read the tables
    before a change and writes their copy after it writes nothing."""
    here, there = pair()
    user = here.user()
    session = here.session(user)
    slow = adapter(there)
    changed = asyncio.Event()
    had_read: list[object] = []
    copy = slow._copy

    async def late(*arguments: Any) -> bool:
        had_read.append(arguments)
        await changed.wait()
        return await copy(*arguments)

    monkeypatch.setattr(slow, "_copy", late)
    reading = asyncio.run_coroutine_threadsafe(
        there.auth.sessions.resolve(session.token), there.loop
    )
    assert any(had_read for _ in until(5))
    here.run(here.auth.users.update(user, {"name": "Grace"}))
    here.run(here.auth.sessions.revoke(session))
    there.loop.call_soon_threadsafe(changed.set)
    assert reading.result(10) is not None, "it was live when it was asked"
    monkeypatch.undo()
    assert not is_in(there, session.token)
    assert not [key for key in keys(here) if key.endswith(":user")]


def test_a_copy_is_not_believed_for_ever(site: Site) -> None:
    """What another program changes in the tables is seen within ``BELIEVED`` seconds."""
    token = site.session(site.user()).token
    assert is_in(site, token)
    copies = [left for key, left in keys(site).items() if key.endswith(":user")]
    assert copies
    assert all(0 < left <= BELIEVED * 1000 for left in copies)
    if adapter(site)._keeps_table:
        of_sessions = [left for key, left in keys(site).items() if key.endswith(":copies")]
        assert of_sessions
        assert all(0 < left <= BELIEVED * 1000 for left in of_sessions)


def test_a_text_of_another_release(site_with: MakeSite, database_url: str) -> None:
    """Fields that a release adds or drops log nobody out."""
    small = site_with(database=database_url)
    token = small.session(small.user()).token
    assert is_in(small, token)
    large = site_with(database=database_url, plugins=every_plugin())
    found = large.run(large.auth.sessions.resolve(token))
    assert found is not None
    assert found.user.role == "user"  # type: ignore[attr-defined]
    later = large.session(large.run(large.auth.users.find(found.user.id))).token
    assert is_in(small, later)


@pytest.mark.databases("redis")
@pytest.mark.parametrize("first", [None, "alone", "beside"])
def test_turning_from_one_to_the_other(site_with: MakeSite, database_url: str, first: Any) -> None:
    """Whatever counted before, what is revoked stays revoked when it counts again, and what cannot
    be revoked does not count."""
    store = {"url": databases.redis_url(), "prefix": databases.new_prefix()}
    stores = {None: {}, "alone": store, "beside": {**store, "keep_table": True}}

    def serving(way: str | None) -> Site:
        return site_with(database=database_url, session={"store": stores[way]})

    before = serving(first)
    user = before.user()
    old = before.session(user)
    assert is_in(before, old.token)
    for way in set(stores) - {first}:
        other = serving(way)
        assert is_in(other, old.token) == ("alone" not in (first, way))
    # Without Redis nothing can be revoked there: that is the operator's to empty.
    other = serving({None: "alone", "alone": "beside", "beside": "alone"}[first])
    kept = other.session(user)
    other.run(other.auth.sessions.revoke_all(user.id, except_id=kept.id))
    assert is_in(other, kept.token)
    assert not any(is_in(serving(one), old.token) for one in stores)


# Sessions in memory


def cache_of(site: Site) -> SessionCache:
    """The sessions in the site's memory."""
    cache = adapter(site).cache
    assert cache is not None
    return cache


def remembered(site: Site, token: str) -> None:
    """Make sure that ``token`` is answered from memory."""
    for _ in until(5):
        hits = cache_of(site).statistics.hits
        if is_in(site, token) and cache_of(site).statistics.hits > hits:
            return
    pytest.fail("it never came into memory")


def seconds_until_out(site: Site, token: str) -> float:
    """How long ``token`` is still let in."""
    for passed in until(5, 0.001):
        if not is_in(site, token):
            return passed
    pytest.fail("it is still let in")


def test_revoked_in_every_memory(pair: Callable[..., list[Site]]) -> None:
    """ "publish in the same atomic step as the change": out of the other server's memory within
    the promise, typically some milliseconds."""
    here, there = pair(**CACHED)
    user = here.user()
    delays = []
    for _ in range(20):
        session = here.session(user)
        remembered(there, session.token)
        remembered(here, session.token)
        here.run(here.auth.sessions.revoke(session))
        assert not is_in(here, session.token), "gone here before the answer"
        delays.append(seconds_until_out(there, session.token))
    assert max(delays) < 1.0
    print(f"stale for at most {max(delays) * 1000:.1f} ms")


def test_a_changed_user_in_every_memory(pair: Callable[..., list[Site]]) -> None:
    """A new name is shown by the other server within the promise, and stays."""
    here, there = pair(**CACHED)
    user = here.user()
    token = here.session(user).token
    for name in ("Grace", "Edith"):
        remembered(there, token) if name == "Grace" else is_in(there, token)
        here.run(here.auth.users.update(user, {"name": name}))
        passed = 5.0
        for passed in until(5, 0.001):  # noqa: B007
            found = there.run(there.auth.sessions.resolve(token))
            if found is not None and found.user.name == name:
                break
        assert passed < 1.0
        assert all(
            there.run(there.auth.sessions.resolve(token)).user.name == name for _ in range(20)
        )


def test_the_listener_is_killed(pair: Callable[..., list[Site]]) -> None:
    """No acceptance beyond the promise, and memory is in use again by itself."""
    here, there = pair(**CACHED)
    user = here.user()
    with server() as connection:
        for _ in range(3):
            session = here.session(user)
            remembered(there, session.token)
            connection.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            here.run(here.auth.sessions.revoke(session))
            assert seconds_until_out(there, session.token) < 1.0
    remembered(there, here.session(user).token)


def test_flushed(pair: Callable[..., list[Site]], database_kind: str) -> None:
    """ "Redis flushed": nobody tells, and no memory believes it beyond the promise; with the table
    kept too no session is lost."""
    here, there = pair(**CACHED)
    token = here.session(here.user()).token
    remembered(there, token)
    prefix = adapter(here)._store.prefix
    with server() as connection:
        connection.delete(*connection.scan_iter(match=prefix + "*", count=1000))
    if database_kind == "redis":
        assert seconds_until_out(there, token) < 1.0
        assert not is_in(here, token) or seconds_until_out(here, token) < 1.0
    else:
        assert all(is_in(there, token) and is_in(here, token) for _ in range(10))


def test_who_watches_is_woken(pair: Callable[..., list[Site]]) -> None:
    """ "session.revoked woken by it": nobody looks every hour here."""
    here, there = pair(cache={"enabled": True, "max_staleness": 3600})
    session = here.session(here.user())

    async def watch() -> "asyncio.Task[None]":
        who = await there.auth.sessions.resolve(session.token)
        assert who is not None
        task = asyncio.ensure_future(who.revoked)
        await asyncio.sleep(0.2)
        assert not task.done()
        return task  # type: ignore[return-value]

    async def ended(task: "asyncio.Task[None]") -> None:
        await asyncio.wait_for(task, 5)

    task = there.run(watch())
    here.run(here.auth.sessions.revoke(session))
    there.run(ended(task))


# Where Redis is


@pytest.mark.parametrize(
    ("url", "kind", "hosts"),
    [
        ("redis://127.0.0.1/1", "server", ()),
        ("rediss+cluster://u:p%40w@a,b:7000", "cluster", (("a", 6379), ("b", 7000))),
        ("redis+sentinel://[::1]:1,b/main/2", "sentinel", (("::1", 1), ("b", 26379))),
    ],
)
def test_addresses(url: str, kind: str, hosts: tuple[Any, ...]) -> None:
    """One host or several."""
    address = Address.of(url)
    assert (address.kind, address.hosts) == (kind, hosts)
    if kind == "cluster":
        assert dict(address.options) == {"username": "u", "password": "p@w", "ssl": True}
    if kind == "sentinel":
        assert (address.service, dict(address.options)) == ("main", {"db": 2})


@pytest.mark.parametrize(
    "url",
    [
        "redis",
        "http://secret@a",
        "redis+sentinel://secret@a:1",
        "redis+cluster://secret@a:x",
        "redis://:secret@a:x",
        "redis://:secret@a/first",
        "redis://:secret@a/0?unknown=1",
        "redis+sentinel://:secret@a/main?unknown=1",
        "redis+cluster://:secret@a?unknown=1",
        "redis+cluster://:secret@a?socket_timeout=long",
    ],
)
def test_what_is_no_address(url: str) -> None:
    """Refused by the setting's name, without what may be a password."""
    with pytest.raises(ConfigurationError, match=r"session\.store\.url") as raised:
        make_auth(session={"store": {"url": url}})
    assert "secret" not in str(raised.value)


def works(auth: BetterAuth[Any]) -> None:
    """Create, check, list, refresh, rotate, revoke, delete, purge."""

    async def work() -> None:
        manager = auth.sessions
        async with auth.lifespan():
            user = await auth.users.create(name="Ada", email="ada@example.com")
            sessions = [await manager.create(user) for _ in range(3)]
            assert all([await manager.resolve(session.token) for session in sessions])
            assert all([await manager.resolve(session.token) for session in sessions])
            await auth.users.update(user, {"name": "Grace"})
            found = await manager.resolve(sessions[0].token)
            assert found is not None
            assert found.user.name == "Grace"
            new = await manager.rotate(found.session)
            assert await manager.resolve(sessions[0].token) is None
            assert await manager.revoke(sessions[1])
            assert {s.id for s in await manager.list_for(user.id)} == {new.id, sessions[2].id}
            assert [gone async for gone in manager.purge()] == []
            assert await manager.revoke_everyone() == 2
            await auth.users.delete(user)
            assert await manager.resolve(new.token) is None

    asyncio.run(work())


@pytest.fixture
def keep_table(database_kind: str) -> bool:
    """Whether the table of sessions is kept as well."""
    return database_kind == "redis-and-table"


@pytest.fixture
def clustered(tmp_path: Path) -> Iterator[RedisServer]:
    """A cluster: of one, which is as strict about the keys of one step as one of many."""
    made = RedisServer(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        assert made.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383").startswith(b"+OK")
        assert any(b"cluster_state:ok" in made.ask("CLUSTER", "INFO") for _ in until(9))
        yield made
    finally:
        made.stop()


def test_on_a_cluster(clustered: RedisServer, keep_table: bool) -> None:
    """ "Cluster: keys of one atomic step share a hash tag"."""
    url = f"redis+cluster://127.0.0.1:{clustered.port}"
    works(make_auth(session={"store": {"url": url, "keep_table": keep_table}}))
    with pytest.raises(ConfigurationError, match="cluster"):
        make_auth(session={"store": {"url": url}, **CACHED})


def test_a_cluster_that_is_down(
    clustered: RedisServer, site_with: MakeSite, keep_table: bool, tmp_path: Path
) -> None:
    """503, or what the table says, as without a cluster; then as before."""
    store = {"url": f"redis+cluster://127.0.0.1:{clustered.port}", "keep_table": keep_table}
    site = site_with(
        database=f"sqlite:///{tmp_path / 'auth.db'}",
        database_patience=1,
        session={"store": store},
    )
    browser = site.browser()
    assert browser.sign_up().status_code == 200
    clustered.stop()
    checked = [browser.get("/get-session").status_code for _ in range(2)]
    assert checked == [200 if keep_table else 503] * 2
    assert browser.post("/sign-out").status_code == 503
    clustered.start()
    assert any(b"cluster_state:ok" in clustered.ask("CLUSTER", "INFO") for _ in until(9))
    assert any(browser.sign_in().status_code == 200 for _ in until(9))
    assert browser.get("/get-session").status_code == 200
    assert browser.post("/sign-out").status_code == 200


def test_behind_sentinel(tmp_path: Path, keep_table: bool) -> None:
    """The master that Sentinel names."""
    master = RedisServer(tmp_path)
    settings = tmp_path / "sentinel.conf"
    settings.write_text(f"sentinel monitor main 127.0.0.1 {master.port} 1\n")
    sentinel = RedisServer(tmp_path, str(settings), is_sentinel=True)
    try:
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/main/0"
        works(make_auth(session={"store": {"url": url, "keep_table": keep_table}, **CACHED}))
    finally:
        sentinel.stop()
        master.stop()


def test_tls(tmp_path: Path) -> None:
    """ "`rediss://` for TLS", with Sentinel to both it and the master: where ``ssl_ca_certs``
    vouches for the certificate, and nowhere else."""
    for name, text in zip(("own.pem", "own.key"), certificate(), strict=True):
        (tmp_path / name).write_text(text)
    options = {"cert-file": "own.pem", "key-file": "own.key", "ca-cert-file": "own.pem"}
    tls = {f"tls-{name}": str(tmp_path / file) for name, file in options.items()}
    tls |= {"tls-auth-clients": "no", "tls-replication": "yes"}
    ports = free_port(), free_port()
    arguments = [part for name, value in tls.items() for part in (f"--{name}", value)]
    master = RedisServer(tmp_path, *arguments, "--tls-port", str(ports[0]))
    settings = tmp_path / "sentinel.conf"
    lines = {**tls, "tls-port": str(ports[1]), "sentinel monitor main 127.0.0.1": f"{ports[0]} 1"}
    settings.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    sentinel = RedisServer(tmp_path, str(settings), is_sentinel=True)
    trusted = f"ssl_ca_certs={tmp_path / 'own.pem'}"
    try:
        for url in (
            f"rediss://127.0.0.1:{ports[0]}?{trusted}",
            f"rediss+sentinel://127.0.0.1:{ports[1]}/main?{trusted}",
            f"rediss+sentinel://127.0.0.1:{sentinel.port}/main?{trusted}&sentinel_tls=false",
        ):
            works(make_auth(session={"store": {"url": url}}))
            distrusting = make_auth(session={"store": {"url": url.replace(trusted, "")}})
            with pytest.raises(DatabaseUnavailable):
                asyncio.run(distrusting.start())
    finally:
        sentinel.stop()
        master.stop()


def test_no_connection_is_left(tmp_path: Path, keep_table: bool) -> None:
    """What has stopped holds no connection: not those of sessions, nor of rate limits."""
    made = RedisServer(tmp_path)
    limits = {"enabled": True, "storage": made.url}
    session = {"store": {"url": made.url, "keep_table": keep_table}, **CACHED}
    auth = make_auth(session=session, rate_limit=limits)

    async def work() -> None:
        transport = httpx.ASGITransport(auth)
        async with httpx.AsyncClient(transport=transport, base_url="http://x/auth") as client:
            assert (await client.get("/get-session")).status_code == 401
        await auth.stop()

    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", ResourceWarning)
            works(auth)
            asyncio.run(work())
            gc.collect()
        assert [str(one.message) for one in warned if "redis" in str(one.message)] == []
    finally:
        made.stop()
