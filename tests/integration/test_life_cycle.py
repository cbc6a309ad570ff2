"""An application's life: started once, lazily or by a server, stopped, started again."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from better_auth import BetterAuth, ConfigurationError
from better_auth.adapters import SqlDatabaseAdapter
from better_auth.errors import DatabaseUnavailable
from better_auth.models import Session
from better_auth.plugins import EmailPasswordPlugin, Plugin, SessionManagementPlugin
from tests.support import MovableClock, make_auth


class Counting(Plugin):
    """Counts how often it is started and stopped."""

    def __init__(self) -> None:
        self.started = self.stopped = 0

    async def start(self) -> None:
        self.started += 1

    async def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def counting() -> Counting:
    """A plugin that counts."""
    return Counting()


@pytest.fixture
def auth(tmp_path: Path, counting: Counting) -> BetterAuth:
    """An application on a file."""
    plugins = [EmailPasswordPlugin(), SessionManagementPlugin(), counting]
    return make_auth(plugins=plugins, database=f"sqlite:///{tmp_path}/test.db")


async def get(auth: BetterAuth, path: str, token: str | None = None) -> httpx.Response:
    """One request through ASGI, without a server that would start the application."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(auth)
    async with httpx.AsyncClient(transport=transport, base_url="http://x/auth") as client:
        return await client.get(path, headers=headers)


async def session(auth: BetterAuth, email: str) -> Session:
    """A session of a new user."""
    return await auth.sessions.create(await auth.users.create(name="Ada", email=email))


def test_start_and_stop_twice(auth: BetterAuth, counting: Counting) -> None:
    """Both are safe to repeat, and stopping what was not started does nothing."""

    async def work() -> None:
        await auth.stop()
        for _ in range(2):
            await auth.start()
            await auth.start()
            assert (await get(auth, "/ok")).status_code == 200
            await auth.stop()
            await auth.stop()

    asyncio.run(work())
    assert (counting.started, counting.stopped) == (2, 2)


def test_lazily(auth: BetterAuth, counting: Counting) -> None:
    """The first requests start it, once however many come together."""

    async def work() -> None:
        answers = await asyncio.gather(*(get(auth, "/ok") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        await auth.stop()

    asyncio.run(work())
    assert counting.started == 1


def test_one_loop_after_another(auth: BetterAuth) -> None:
    """What was stored under one event loop is there under the next."""

    async def first() -> str:
        async with auth.lifespan():
            return (await session(auth, "ada@example.com")).token

    async def then(token: str) -> int:
        async with auth.lifespan():
            await session(auth, "bob@example.com")
            return (await get(auth, "/get-session", token)).status_code

    token = asyncio.run(first())
    assert asyncio.run(then(token)) == asyncio.run(get_twice(auth, token)) == 200


async def get_twice(auth: BetterAuth, token: str) -> int:
    """A third loop, started lazily."""
    await get(auth, "/get-session", token)
    answer = await get(auth, "/get-session", token)
    await auth.stop()
    return answer.status_code


def test_nothing_is_left_running(auth: BetterAuth) -> None:
    """After stop there is neither a task nor a thread of the library's."""
    before = set(threading.enumerate())

    async def work() -> None:
        async with auth.lifespan():
            user = await auth.users.create(
                name="Ada",
                email="ada@example.com",
                password_hash=await auth.context.passwords.hash("correct horse battery"),
            )
            await auth.sessions.create(user)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(work())
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert not {t for t in set(threading.enumerate()) - before if t.is_alive()}


def eventually(holds: Coroutine[Any, Any, None]) -> None:
    """Run ``holds``, which waits for something, for no longer than ten seconds."""
    asyncio.run(asyncio.wait_for(holds, 10))


@pytest.mark.parametrize(
    ("failure", "is_traced"), [(RuntimeError("once"), True), (DatabaseUnavailable(), False)]
)
def test_purge_goes_on_after_a_failure(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    is_traced: bool,
) -> None:
    """A purge that fails is logged, with a traceback where nobody foresaw it, and tried again;
    stopping ends it."""
    clock = MovableClock()
    auth = make_auth(
        database=f"sqlite:///{tmp_path}/test.db", clock=clock, session={"purge_interval": 0.05}
    )
    delete = SqlDatabaseAdapter.delete
    failures = iter([failure])

    async def flaky(self: SqlDatabaseAdapter, *arguments: Any, **options: Any) -> Any:
        for failure in failures:
            raise failure
        return await delete(self, *arguments, **options)

    monkeypatch.setattr(SqlDatabaseAdapter, "delete", flaky)

    async def work() -> None:
        async with auth.lifespan():
            await session(auth, "ada@example.com")
            clock.move(days=8)
            while await auth.database.count(Session):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    eventually(work())
    assert "purging expired sessions failed" in caplog.text
    assert ("Traceback" in caplog.text) == is_traced


def test_a_start_that_fails_says_so(tmp_path: Path) -> None:
    """The server is told what is wrong, without a traceback."""
    (tmp_path / "file").write_text("")
    auth = make_auth(database=f"sqlite:///{tmp_path}/file/below.db")
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(auth({"type": "lifespan"}, receive, send))
    (told,) = sent
    assert told["type"] == "lifespan.startup.failed"
    assert "database" in told["message"]
    assert "Traceback" not in told["message"]


def test_tables_behind(tmp_path: Path) -> None:
    """With ``migrate_at_start`` off it refuses to start, and names the command."""
    url = f"sqlite:///{tmp_path}/test.db"
    auth = make_auth(database=url, migrate_at_start=False)
    with pytest.raises(ConfigurationError, match="better-auth migrate"):
        asyncio.run(auth.start())

    async def migrate() -> None:
        async with make_auth(database=url).lifespan():
            """Brings the tables up to date."""

    asyncio.run(migrate())

    async def start() -> None:
        async with auth.lifespan():
            assert (await get(auth, "/ok")).status_code == 200

    asyncio.run(start())
