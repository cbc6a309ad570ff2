"""Servers killed in the middle of their work, and two servers on one database."""

import asyncio
import threading
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import httpx

from better_auth.adapters import SqlDatabaseAdapter
from better_auth.models import Account, Session, User, Verification
from tests.servers import auth_server
from tests.support import PASSWORD, SECRET, bearer

SIGN_UPS = {"sqlite": 1000, "postgresql": 150, "mysql": 150}
KILLS = 3


def settings(url: str, **more: str) -> dict[str, str]:
    """What a server is started with."""
    given = {"SECRET": SECRET, "DATABASE_URL": url, "RATE_LIMIT__ENABLED": "false"}
    return {**given, **more}


def asking(url: str) -> httpx.Client:
    """A client that the server takes for its own page."""
    return httpx.Client(base_url=url, timeout=30, headers={"Origin": url.removesuffix("/auth")})


def rows(url: str) -> tuple[list[User], list[Account], list[Session]]:
    """Everything there is."""

    async def work() -> tuple[list[User], list[Account], list[Session]]:
        database = SqlDatabaseAdapter(url)
        database.bind([User, Session, Account, Verification])
        try:
            found = await database.find(User), await database.find(Account)
            return (*found, await database.find(Session))
        finally:
            await database.close()

    return asyncio.run(work())


def test_killed_while_signing_up(database_url: str, database_kind: str, tmp_path: Path) -> None:
    """kill -9 in the middle of sign-ups and sign-ins: every acknowledged session is there, and
    none is half made."""
    acknowledged: list[str] = []
    numbers = count()
    enough = SIGN_UPS[database_kind]

    def work(origin: str, until: int) -> None:
        with asking(origin) as client:
            while len(acknowledged) < until:
                email = f"u{next(numbers)}@example.com"
                body = {"email": email, "password": PASSWORD}
                try:
                    for path, more in (("/sign-up/email", {"name": "Ada"}), ("/sign-in/email", {})):
                        answer = client.post(path, json={**body, **more})
                        assert answer.status_code == 200, answer.text
                        acknowledged.append(answer.json()["token"])
                except httpx.TransportError:
                    return  # killed

    for kill in range(1, KILLS + 1):
        with auth_server(tmp_path, **settings(database_url)) as server:
            threads = [threading.Thread(target=work, args=(server.url, enough)) for _ in range(8)]
            for thread in threads:
                thread.start()
            while len(acknowledged) < enough * kill // (KILLS + 1):
                assert any(thread.is_alive() for thread in threads)
                time.sleep(0.01)
            server.kill()
            for thread in threads:
                thread.join(30)

    with (
        auth_server(tmp_path, **settings(database_url)) as server,
        asking(server.url) as client,
    ):
        for token in acknowledged:
            assert client.get("/get-session", headers=bearer(token)).status_code == 200
    users, accounts, sessions = rows(database_url)
    assert {account.user_id for account in accounts} == {user.id for user in users}
    assert {session.user_id for session in sessions} <= {user.id for user in users}
    assert len(sessions) >= len(acknowledged)


def test_two_servers(
    database_url: str, database_kind: str, is_cached: bool, tmp_path: Path
) -> None:
    """After an acknowledged revocation, no answer of the other server accepts the session beyond
    the promise: not at all, or ``max_staleness`` with sessions in memory."""
    promise = 1.0 if is_cached and database_kind == "postgresql" else 0.0
    with ExitStack() as stack:
        given = settings(database_url, SESSION__CACHE__ENABLED=str(is_cached))
        one = stack.enter_context(auth_server(tmp_path, **given))
        two = stack.enter_context(auth_server(tmp_path, **given))
        here = stack.enter_context(asking(one.url))
        body = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
        keeper = here.post("/sign-up/email", json=body).json()["token"]
        worst = -1.0
        for _ in range(8):
            token = here.post("/sign-in/email", json=body).json()["token"]
            accepted: list[float] = []
            over = threading.Event()
            threads = [
                threading.Thread(target=_ask, args=(two.url, token, accepted, over))
                for _ in range(3)
            ]
            for thread in threads:
                thread.start()
            while len(accepted) < 30:
                time.sleep(0.005)
            revoked = here.post("/revoke-session", json={"token": token}, headers=bearer(keeper))
            acknowledged = time.monotonic()
            assert revoked.json() == {"success": True}
            for thread in threads:
                thread.join(10)
            worst = max(worst, max(accepted) - acknowledged)
        what = f"{database_kind}, cached {is_cached}"
        print(f"{what}: last accepted {worst * 1000:+.1f} ms after the ack")
        assert worst <= promise


def _ask(url: str, token: str, accepted: list[float], over: threading.Event) -> None:
    """Note when each check that was accepted had been begun, until one is refused."""
    with asking(url) as client:
        while not over.is_set():
            began = time.monotonic()
            if client.get("/get-session", headers=bearer(token)).status_code == 200:
                accepted.append(began)
            else:
                over.set()
