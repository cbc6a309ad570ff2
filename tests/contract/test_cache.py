"""Sessions in memory, on PostgreSQL: nobody is let in who is out.

"After a revocation, ban, deletion, role or user change is acknowledged, no process of the
deployment accepts or shows the old state for longer than max_staleness."
"""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from better_auth import BetterAuth, ConfigurationError, User
from better_auth.adapters import SessionCache, SqlDatabaseAdapter
from tests import databases
from tests.conftest import Site
from tests.line import line
from tests.support import bearer, make_auth

DATABASES = [kind for kind in databases.kinds() if kind == "postgresql"]
CACHED = {"session": {"cache": {"enabled": True}}}
MakeSite = Callable[..., Site]


def cache_of(auth: BetterAuth[Any]) -> SessionCache:
    """The application's cache."""
    assert isinstance(auth.database, SqlDatabaseAdapter)
    assert auth.database.cache is not None
    return auth.database.cache


def until(condition: Callable[[], bool], seconds: float = 10.0) -> float:
    """How long it took for ``condition`` to come true."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it never came true"
        time.sleep(0.001)
    return time.monotonic() - began


def in_psql(site: Site, *statements: str) -> None:
    """Run statements as another program would, in the site's schema."""

    async def work() -> None:
        assert isinstance(site.auth.database, SqlDatabaseAdapter)
        connection = await asyncpg.connect(site.auth.database.url, timeout=5)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(work())


def answers(site: Site, token: str) -> int:
    """The status of a check."""
    return site.client().get("/get-session", headers=bearer(token)).status_code


@pytest.fixture
def cached(site_with: MakeSite) -> Site:
    """A served application with its cache in use."""
    site = site_with(**CACHED)
    site.client().get("/ok")
    until(lambda: cache_of(site.auth).is_current)
    return site


def remembered(site: Site) -> str:
    """The token of a session that is in memory."""
    token = site.session(site.user()).token
    hits = cache_of(site.auth).statistics.hits
    until(lambda: answers(site, token) == 200 and cache_of(site.auth).statistics.hits > hits)
    return token


class Tagged(User):
    """A user with something that can be changed in place."""

    tags: list[str] = []


def test_what_one_request_changes_in_place_no_other_sees(site_with: MakeSite) -> None:
    """A list of the application's own in its user is each request's own, from memory too."""
    site = site_with(user_model=Tagged, **CACHED)
    site.client().get("/ok")
    until(lambda: cache_of(site.auth).is_current)
    token = remembered(site)
    for _ in range(3):
        who = site.run(site.auth.sessions.resolve(token))
        assert who is not None
        assert who.user.tags == []
        who.user.tags.append("changed")
    hits = cache_of(site.auth).statistics.hits
    assert site.client().get("/get-session", headers=bearer(token)).json()["user"]["tags"] == []
    assert cache_of(site.auth).statistics.hits > hits


def test_checks_need_no_database(cached: Site) -> None:
    """Once read, a session is answered from memory."""
    token = remembered(cached)
    statistics = cache_of(cached.auth).statistics
    before = statistics.hits, statistics.misses
    assert [answers(cached, token) for _ in range(5)] == [200] * 5
    assert (statistics.hits, statistics.misses) == (before[0] + 5, before[1])


@pytest.mark.parametrize("door", ["sign-out", "revoke-sessions", "user", "everyone"])
def test_a_change_in_this_process_counts_at_once(cached: Site, door: str) -> None:
    """Before its answer is sent."""
    token = remembered(cached)
    session = cached.run(cached.auth.sessions.resolve(token)).session
    if door == "user":
        user = cached.run(cached.auth.users.find(session.user_id))
        cached.run(cached.auth.users.delete(user))
    elif door == "everyone":
        cached.run(cached.auth.sessions.revoke_everyone())
    else:
        assert cached.client().post(f"/{door}", headers=bearer(token)).status_code == 200
    assert answers(cached, token) == 401


def test_a_changed_user_is_shown_at_once(cached: Site) -> None:
    """A user's new name stands in the next answer."""
    token = remembered(cached)
    principal = cached.run(cached.auth.sessions.resolve(token))
    cached.run(cached.auth.users.update(principal.user, {"name": "Grace"}))
    answer = cached.client().get("/get-session", headers=bearer(token)).json()
    assert answer["user"]["name"] == "Grace"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM session",
        "UPDATE session SET expires_at = '2020-01-01'",
        'DELETE FROM "user"',
        'TRUNCATE "user" CASCADE',
    ],
)
def test_a_change_by_another_program_counts(cached: Site, statement: str) -> None:
    """By ``psql`` for example; the triggers are the database's."""
    token = remembered(cached)
    in_psql(cached, statement)
    assert until(lambda: answers(cached, token) == 401) < 1.0


def test_another_process(site_with: MakeSite, cached: Site) -> None:
    """What one server revokes, the other refuses within the promise."""
    assert isinstance(cached.auth.database, SqlDatabaseAdapter)
    other = site_with(database=cached.auth.database.url, **CACHED)
    token = remembered(cached)
    delays = []
    for _ in range(20):
        token = remembered_again(cached)
        assert answers(other, token) == 200
        assert other.client().post("/sign-out", headers=bearer(token)).status_code == 200
        delays.append(until(lambda token=token: answers(cached, token) == 401))  # type: ignore[misc]
    assert max(delays) < 1.0, delays
    print(f"stale for at most {max(delays) * 1000:.1f} ms")


def test_a_token_changed_elsewhere(site_with: MakeSite, cached: Site) -> None:
    """The new one may be asked for here before the change is told here: once it is, the old one is
    refused, and once the session is revoked both are."""
    assert isinstance(cached.auth.database, SqlDatabaseAdapter)
    database = cached.auth.database.url
    url = sa.make_url(database)
    with line(url.host or "127.0.0.1", url.port or 5432) as slow:
        url = url.set(host="127.0.0.1", port=slow.port)
        listen_url = url.render_as_string(hide_password=False)
        cache = {"enabled": True, "max_staleness": 3, "listen_url": listen_url}
        here = site_with(database=database, session={"cache": cache})
        until(lambda: cache_of(here.auth).is_current)
        old = cached.session(cached.user())
        assert answers(here, old.token) == 200
        with slow.held():
            new = cached.run(cached.auth.sessions.rotate(old))
            assert answers(here, new.token) == 200
        assert until(lambda: answers(here, old.token) == 401) < 3.0
        assert answers(here, new.token) == 200
        cached.run(cached.auth.sessions.revoke(new))
        assert until(lambda: answers(here, new.token) == 401) < 3.0
        assert answers(here, old.token) == 401


def remembered_again(site: Site) -> str:
    """The token of one more session of the same user, in memory."""
    user = site.run(site.auth.users.find_by_email("ada@example.com"))
    token = site.session(user).token
    until(lambda: answers(site, token) == 200)
    return token


def test_the_listener_is_killed_while_sessions_are_revoked(cached: Site) -> None:
    """No acceptance beyond the promise, and the cache is in use again by itself."""
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query LIKE 'SELECT pg_notify%' AND pid <> pg_backend_pid()"
    )
    remembered(cached)
    for _ in range(3):
        token = remembered_again(cached)
        until(lambda: cache_of(cached.auth).is_current)
        in_psql(cached, kill, "DELETE FROM session")
        assert until(lambda token=token: answers(cached, token) == 401) < 1.0  # type: ignore[misc]
    until(lambda: cache_of(cached.auth).is_current)
    token = remembered_again(cached)
    hits = cache_of(cached.auth).statistics.hits
    until(lambda: answers(cached, token) == 200 and cache_of(cached.auth).statistics.hits > hits)


def listed(site: Site, token: str) -> list[str]:
    """The ids that a listing shows, newest first."""
    answer = site.client().get("/list-sessions", headers=bearer(token))
    return [one["id"] for one in answer.json()["sessions"]]


def test_a_listing_needs_no_database(cached: Site) -> None:
    """Once read, and until something changes."""
    token = remembered(cached)
    first = cached.client().get("/list-sessions", headers=bearer(token)).json()
    statistics = cache_of(cached.auth).statistics
    misses = statistics.misses
    again = [cached.client().get("/list-sessions", headers=bearer(token)).json() for _ in range(3)]
    assert again == [first] * 3
    assert statistics.misses == misses
    assert [one["token"] for one in first["sessions"]] == [token]


def test_a_listing_in_this_process_is_right_at_once(cached: Site) -> None:
    """With what is new, without what is revoked, changed as it was changed, before the answer."""
    token = remembered(cached)
    (own,) = listed(cached, token)
    user = cached.run(cached.auth.users.find_by_email("ada@example.com"))
    cached.clock.move(seconds=1)
    new = cached.session(user)
    assert listed(cached, token) == [new.id, own]
    moved = cached.run(cached.auth.sessions.rotate(new))
    answer = cached.client().get("/list-sessions", headers=bearer(token)).json()
    assert answer["sessions"][0]["token"] == moved.token
    cached.client().post("/revoke-session", json={"token": moved.token}, headers=bearer(token))
    assert listed(cached, token) == [own]


def test_a_listing_shows_what_others_change(
    site_with: MakeSite, cached: Site, is_cached: bool
) -> None:
    """Sign-ins and revocations of this process, of another, and in ``psql``: every listing is
    right within the promise, one that is not kept in memory at once."""
    assert isinstance(cached.auth.database, SqlDatabaseAdapter)
    other = site_with(database=cached.auth.database.url, **(CACHED if is_cached else {}))
    if is_cached:
        until(lambda: cache_of(other.auth).is_current)
    mine, theirs = cached.user(), cached.user("bob@example.com")
    token = cached.session(mine).token
    there = set(listed(cached, token))
    choose = Random(5).choice
    worst = 0.0
    for number in range(40):
        listed(choose([cached, other]), token)  # what memory may hold
        held = sorted(there - {cached.run(cached.auth.sessions.resolve(token)).session.id})
        at = choose([cached, other])
        match choose(["sign in", "revoke", "psql: new", "psql: gone", "psql: moved"]):
            case "sign in":
                there.add(at.session(mine).id)
            case "revoke" if held:
                at.client().post("/revoke-session", json={"id": held[0]}, headers=bearer(token))
                there.remove(held[0])
            case "psql: new":
                columns = "user_id, expires_at, created_at, updated_at, remember, authenticated_at"
                in_psql(
                    cached,
                    f"INSERT INTO session (id, token_key, {columns}) "
                    f"SELECT 'new{number}', 'key{number}', {columns} FROM session "
                    f"WHERE user_id = '{mine.id}' LIMIT 1",
                )
                there.add(f"new{number}")
            case "psql: gone" if held:
                in_psql(cached, f"DELETE FROM session WHERE id = '{held[-1]}'")
                there.remove(held[-1])
            case "psql: moved" if held:
                in_psql(
                    cached,
                    f"UPDATE session SET user_id = '{theirs.id}' WHERE id = '{held[0]}'",
                )
                there.remove(held[0])
            case _:
                continue
        for site in (cached, other):
            took = until(lambda site=site: set(listed(site, token)) == there)  # type: ignore[misc]
            worst = max(worst, took)
            assert took < 1.0
        if not is_cached:
            assert set(listed(other, token)) == there
    assert len(there) > 1
    print(f"a listing was right after at most {worst * 1000:.1f} ms")


def test_a_session_given_to_somebody_is_listed(cached: Site) -> None:
    """A session moved in ``psql`` to a user whose listing is in memory."""
    ada, bob = cached.user(), cached.user("bob@example.com")
    token, given = cached.session(ada).token, cached.session(bob).id
    assert given not in listed(cached, token)
    in_psql(cached, f"UPDATE session SET user_id = '{ada.id}' WHERE id = '{given}'")
    assert until(lambda: given in listed(cached, token)) < 1.0


def test_triggers_of_before_are_replaced(cached: Site, site_with: MakeSite) -> None:
    """Those that tell less, as an earlier version's told of no new session: the application says
    that a migration is pending, makes it, and is right."""
    database = cached.auth.database
    assert isinstance(database, SqlDatabaseAdapter)
    assert cached.run(database.pending_migration()) == []
    in_psql(
        cached,
        "DROP TRIGGER better_auth_session_insert ON session",
        "CREATE FUNCTION better_auth_changed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RETURN NULL; END$$",
        "DROP TRIGGER better_auth_session_delete ON session",
        "CREATE TRIGGER better_auth_session_delete AFTER DELETE ON session "
        "REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT "
        "EXECUTE FUNCTION better_auth_changed('s')",
    )
    pending = cached.run(database.pending_migration())
    made = [one.split('"')[1] for one in pending if one.startswith("CREATE TRIGGER")]
    assert made == ["better_auth_session_insert", "better_auth_session_delete"]
    assert cached.run(database.migrate()) == pending
    assert cached.run(database.pending_migration()) == []
    token = remembered(cached)
    assert len(listed(cached, token)) == 1
    in_psql(cached, "DELETE FROM session")
    assert until(lambda: answers(cached, token) == 401) < 1.0


def test_mysql_cannot_tell() -> None:
    """Refused by name, not ignored."""
    with pytest.raises(ConfigurationError, match="cannot tell"):
        make_auth(database="mysql://root@127.0.0.1/test", **CACHED)
