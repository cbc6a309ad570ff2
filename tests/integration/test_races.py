"""Real parallel requests: what may happen once happens once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import httpx
import pytest

from better_auth import Session
from better_auth.events import SessionsRevoked, SessionUpdated
from tests.conftest import Site
from tests.support import COOKIE, PASSWORD, bearer

MakeSite = Callable[..., Site]
T = TypeVar("T")


def at_once(jobs: Iterable[Callable[[], T]]) -> list[T]:
    """The results of all jobs, each run in a thread of its own."""
    jobs = list(jobs)
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def test_sign_up_race(site: Site) -> None:
    """One address, many sign-ups at once: one user, the others 422, no 5xx."""

    def sign_up() -> int:
        body = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
        return httpx.post(f"{site.url}/sign-up/email", json=body, timeout=30).status_code

    assert Counter(at_once([sign_up] * 12)) == {200: 1, 422: 11}


def test_revoke_race(site: Site) -> None:
    """One session revoked 30 times at once ends once."""
    ended: list[SessionsRevoked] = []
    site.auth.on(SessionsRevoked)(ended.append)
    user = site.user()
    mine, target = site.session(user), site.session(user)

    def revoke() -> int:
        answer = httpx.post(
            f"{site.url}/revoke-session", json={"id": target.id}, headers=bearer(mine.token)
        )
        return answer.status_code

    assert set(at_once([revoke] * 30)) == {200}
    assert len(ended) == 1


def test_refresh_race(site: Site) -> None:
    """A due refresh asked for 30 times at once is written once, and everybody is let in."""
    written: list[SessionUpdated] = []
    site.auth.on(SessionUpdated)(written.append)
    token = site.session(site.user()).token
    site.clock.move(days=2)

    def ask() -> httpx.Response:
        return httpx.get(f"{site.url}/get-session", headers={"Cookie": f"{COOKIE}={token}"})

    answers = at_once([ask] * 30)
    assert {answer.status_code for answer in answers} == {200}
    assert {a.json()["session"]["expiresAt"] for a in answers} == {"2024-01-10T00:00:00.000Z"}
    assert len(written) == 1


def test_refresh_that_lost_to_a_revoke(site: Site) -> None:
    """A refresh whose session is revoked just before its write answers 401 and no cookie."""
    from better_auth.events import SessionUpdating

    user = site.user()
    session = site.session(user)
    site.clock.move(days=2)

    @site.auth.on(SessionUpdating)
    async def revoke_first(event: SessionUpdating) -> None:
        await site.auth.sessions.revoke(session)

    headers = {"Cookie": f"{COOKIE}={session.token}"}
    answer = site.client().get("/get-session", headers=headers)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert site.run(site.auth.sessions.list_for(user.id)) == []


@pytest.mark.parametrize("policy", ["evict-oldest", "refuse"])
def test_limit_race(site_with: MakeSite, policy: str) -> None:
    """Many sign-ins at once never leave more sessions than the limit."""
    site = site_with(session={"max_sessions_per_user": 2, "max_sessions_policy": policy})
    site.browser().sign_up()

    def sign_in() -> int:
        body = {"email": "ada@example.com", "password": PASSWORD}
        return httpx.post(f"{site.url}/sign-in/email", json=body, timeout=30).status_code

    answered = Counter(at_once([sign_in] * 8))
    assert answered == ({200: 8} if policy == "evict-oldest" else {200: 1, 403: 7})
    user = site.run(site.auth.users.find_by_email("ada@example.com"))
    assert user is not None
    assert len(site.run(site.auth.sessions.list_for(user.id))) == 2


def test_counts_add_up(site: Site) -> None:
    """revoke-sessions from every session at once: each live session is counted once."""
    user = site.user()
    sessions = [site.session(user) for _ in range(20)]

    def revoke(token: str) -> int:
        answer = httpx.post(f"{site.url}/revoke-sessions", headers=bearer(token))
        return int(answer.json()["count"]) if answer.status_code == 200 else 0

    counts = at_once([lambda token=s.token: revoke(token) for s in sessions])
    assert sum(counts) == 20


def test_everybody_is_out_whoever_says_so(site: Site) -> None:
    """Whichever of several who revoke everybody's sessions at once is answered, all are out."""
    user = site.user()
    for _ in range(60):
        site.session(user)

    async def revoke() -> tuple[int, int]:
        ended = await site.auth.sessions.revoke_everyone(batch=10)
        return ended, await site.auth.database.count(Session)

    async def work() -> list[tuple[int, int]]:
        return await asyncio.gather(*(revoke() for _ in range(3)))

    ended, left = zip(*site.run(work()), strict=True)
    assert sum(ended) == 60
    assert left == (0, 0, 0)


def test_two_servers_on_one_database(site_with: MakeSite, database_url: str) -> None:
    """What one revokes, the other refuses at once; sign-ups at both lose nothing."""
    one, two = (site_with(database=database_url) for _ in range(2))

    def sign_up(number: int) -> httpx.Response:
        body = {"name": "Ada", "email": f"ada{number}@example.com", "password": PASSWORD}
        url = (one, two)[number % 2].url
        return httpx.post(f"{url}/sign-up/email", json=body, timeout=60)

    answers = at_once([lambda n=n: sign_up(n) for n in range(40)])
    assert {answer.status_code for answer in answers} == {200}
    for number, answer in enumerate(answers[:10]):
        here, there = (one, two) if number % 2 else (two, one)
        headers = bearer(answer.json()["token"])
        assert there.client().get("/get-session", headers=headers).status_code == 200
        assert here.client().post("/sign-out", headers=headers).status_code == 200
        assert there.client().get("/get-session", headers=headers).status_code == 401


def test_purge_under_traffic(site_with: MakeSite, database_url: str) -> None:
    """Purging while sessions come and go disturbs nobody."""
    site = site_with(database=database_url, session={"purge_interval": timedelta(days=1)})
    user = site.user()

    async def fill() -> None:
        for _ in range(300):
            await site.auth.sessions.create(user, remember=False)

    site.run(fill())
    site.clock.move(days=1)
    live = [site.session(user).token for _ in range(10)]

    def ask(token: str) -> int:
        return httpx.get(f"{site.url}/get-session", headers=bearer(token)).status_code

    def purge() -> int:
        async def work() -> int:
            return sum([gone async for gone in site.auth.sessions.purge(batch=20)])

        return site.run(work())

    jobs = [lambda token=token: ask(token) for token in live] * 3 + [purge, purge]
    results = at_once(jobs)
    assert results[:-2] == [200] * 30
    assert sum(results[-2:]) == 300
