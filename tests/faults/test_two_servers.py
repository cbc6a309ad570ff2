"""Two servers on one database: whoever is out at one is out at the other.

"An acknowledged revoke, no answer anywhere accepts it beyond the promise."
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from better_auth import Session, User
from better_auth.plugins import AdminPlugin, EmailPasswordPlugin, SessionManagementPlugin
from tests.conftest import open_site
from tests.servers import until
from tests.support import MovableClock, bearer

ROUNDS = 3
READERS = 3


class Pair:
    """Both servers, and an admin signed in at the first."""

    def __init__(self, stack: ExitStack, url: str, cache: bool) -> None:
        plugins: Callable[[], list[Any]] = lambda: [  # noqa: E731
            EmailPasswordPlugin(),
            SessionManagementPlugin(),
            AdminPlugin(),
        ]
        self.one, self.two = (
            open_site(
                stack,
                MovableClock(),
                database=url,
                plugins=plugins(),
                session={"cache": {"enabled": cache}},
            )
            for _ in range(2)
        )
        admin = self.one.user("admin@example.com", fields={"role": "admin"})
        self.admin = bearer(self.one.session(admin).token)
        self.http = self.one.client()
        self.asking = [self.two.client() for _ in range(READERS)]

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> None:
        """Ask the first server, as the admin unless told; it must agree."""
        answer = self.http.post(path, json=body, headers=headers or self.admin)
        assert answer.status_code == 200, (path, answer.text)


def _user(path: str, **more: Any) -> Callable[[Pair, User, Session, Session], None]:
    """What an admin does to a user at ``path``."""
    return lambda pair, user, _, __: pair.post(path, {"userId": user.id, **more})


WAYS: dict[str, Callable[[Pair, User, Session, Session], None]] = {
    "by token": lambda pair, _, session, other: pair.post(
        "/revoke-session", {"token": session.token}, bearer(other.token)
    ),
    "by id": lambda pair, _, session, other: pair.post(
        "/revoke-session", {"id": session.id}, bearer(other.token)
    ),
    "others": lambda pair, _, __, other: pair.post(
        "/revoke-other-sessions", headers=bearer(other.token)
    ),
    "all": lambda pair, _, __, other: pair.post("/revoke-sessions", headers=bearer(other.token)),
    "sign-out": lambda pair, _, session, __: pair.post("/sign-out", headers=bearer(session.token)),
    "ban": _user("/admin/ban-user"),
    "role change": _user("/admin/set-role", role="admin"),
    "password reset": _user("/admin/set-user-password", newPassword="another horse battery"),
    "by an admin": _user("/admin/revoke-user-sessions"),
    "user deletion": _user("/admin/remove-user"),
}


@pytest.fixture
def pair(database_url: str, is_cached: bool) -> Iterator[Pair]:
    """Two servers on one database."""
    with ExitStack() as stack:
        yield Pair(stack, database_url, is_cached)


def test_whoever_is_out_is_out_everywhere(pair: Pair, database_kind: str, is_cached: bool) -> None:
    """Revoked by token, by id, with all, by a ban, a change of role, a deletion, a reset: a check
    begun at the other server after the acknowledgement, or after the promise, is refused."""
    promise = 1.0 if is_cached and database_kind == "postgresql" else 0.0
    number = 0
    worst: dict[str, float] = {}
    for way, end in WAYS.items():
        for _ in range(ROUNDS):
            number += 1
            user = pair.one.user(f"u{number}@example.com")
            session, other = pair.one.session(user), pair.one.session(user)
            lasted = _accepted_after(pair, session, lambda: end(pair, user, session, other))  # noqa: B023
            worst[way] = max(worst.get(way, -1.0), lasted)
    figures = ", ".join(f"{way} {lasted * 1000:+.1f}" for way, lasted in worst.items())
    print(f"{database_kind}, cached {is_cached}: last accepted, in ms after the ack: {figures}")
    assert max(worst.values()) <= promise, figures


def _accepted_after(pair: Pair, session: Session, end: Callable[[], None]) -> float:
    """When the last check was begun that the second server accepted, after ``end`` was done."""
    accepted: list[float] = []
    over = threading.Event()

    def ask(client: httpx.Client) -> None:
        while not over.is_set():
            began = time.monotonic()
            if client.get("/get-session", headers=bearer(session.token)).status_code == 200:
                accepted.append(began)
            else:
                over.set()

    threads = [threading.Thread(target=ask, args=(client,)) for client in pair.asking]
    for thread in threads:
        thread.start()
    for _ in until(10, 0.002):
        if len(accepted) >= 10 or over.is_set():
            break
    end()
    acknowledged = time.monotonic()
    for thread in threads:
        thread.join(10)
    return max(accepted) - acknowledged
