"""``session.revoked``: what is open closes when its session ends."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

import pytest
from starlette.websockets import WebSocket

from better_auth.handlers.starlette import closing_on_revocation
from better_auth.models import Fields, Principal, Session
from better_auth.plugins import SessionManagementPlugin
from better_auth.plugins.base import Plugin
from tests.conftest import Site
from tests.support import MovableClock, bearer

MakeSite = Callable[..., Site]
SOON = {"session": {"cache": {"max_staleness": 0.1}}}
"""How often sessions ended elsewhere are looked for; the promise, at its shortest."""


def principal(site: Site) -> Principal:
    """Somebody with a session."""
    found = site.run(site.auth.sessions.resolve(site.session(site.user()).token))
    assert found is not None
    return found


async def waited(revoked: Awaitable[None], seconds: float) -> bool:
    """Whether it is done within ``seconds``."""
    try:
        await asyncio.wait_for(asyncio.ensure_future(revoked), seconds)
    except TimeoutError:
        return False
    return True


def watching(site: Site, who: Principal) -> Any:
    """Somebody who waits, in the server's loop, once the first look is over."""

    async def start() -> asyncio.Task[bool]:
        task = asyncio.create_task(waited(who.revoked, 10))
        await asyncio.sleep(0.05)
        assert not task.done()
        return task

    return site.run(start())


async def outcome(task: "asyncio.Task[bool]") -> bool:
    """What the task answers."""
    return await task


@pytest.mark.parametrize("path", ["/sign-out", "/revoke-sessions", "/revoke-session"])
def test_revoked_here(site_with: MakeSite, path: str) -> None:
    """Told at once; nobody looks every hour here."""
    site = site_with(session={"cache": {"max_staleness": 3600}})
    who = principal(site)
    task = watching(site, who)
    body = {"token": who.session.token} if path == "/revoke-session" else None
    answer = site.client().post(path, headers=bearer(who.session.token), json=body)
    assert answer.status_code == 200
    assert site.run(outcome(task))


def test_revoked_by_another_process(site_with: MakeSite) -> None:
    """Found by looking, or by what the database tells."""
    site = site_with(**SOON)
    who = principal(site)
    task = watching(site, who)
    database = site.auth.database
    site.run(database.delete(type(who.session), id=who.session.id))  # past the session manager
    assert site.run(outcome(task))


class Kind(Enum):
    """Of a session."""

    KNOWN = "known"


class KindFields(Fields):
    """What a plugin notes of a session."""

    kind: Kind = Kind.KNOWN


class KindPlugin(Plugin):
    """Notes a session's kind."""

    name = "Kind"
    session_fields = KindFields


def test_beside_one_that_cannot_be_read(site_with: MakeSite) -> None:
    """A later release, which runs on the same database, writes what this one does not know: who
    watches another session is told of its end."""
    site = site_with(plugins=[SessionManagementPlugin(), KindPlugin()], **SOON)
    who = principal(site)
    other = site.run(site.auth.sessions.resolve(site.session(who.user).token))
    assert other is not None
    tasks = [watching(site, one) for one in (who, other)]
    database = site.auth.database
    site.run(database.update(Session, {"kind": "unknown"}, id=other.session.id))
    site.run(database.delete(Session, id=who.session.id))
    assert site.run(outcome(tasks[0]))
    site.run(database.delete(Session, id=other.session.id))
    assert site.run(outcome(tasks[1]))


def test_expired(site_with: MakeSite, clock: MovableClock) -> None:
    """Time ends a session as well."""
    site = site_with(**SOON)
    task = watching(site, principal(site))
    clock.move(days=8)
    assert site.run(outcome(task))


def test_ended_before_anybody_waited(site_with: MakeSite) -> None:
    """It is done when it is first awaited."""
    site = site_with(**SOON)
    who = principal(site)
    site.run(site.auth.sessions.revoke(who.session))
    assert site.run(waited(who.revoked, 5))


def test_a_new_token_and_another_session_end_nothing(site_with: MakeSite) -> None:
    """The device stays where it is."""
    site = site_with(**SOON)
    who = principal(site)

    async def work() -> bool:
        sessions = site.auth.sessions
        other = await sessions.create(who.user)
        task = asyncio.create_task(waited(who.revoked, 0.5))
        await sessions.rotate(who.session)
        await sessions.revoke(other)
        return await task

    assert not site.run(work())


def test_a_server_that_closes_nothing_while_it_receives(site: Site) -> None:
    """As granian is: a WebSocket is closed all the same, at once, and who waits to receive from
    it sees that."""
    who = principal(site)
    sent: list[Any] = []
    arriving = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]

    async def work() -> list[str]:
        connection, received = asyncio.Lock(), []

        async def receive() -> Any:
            async with connection:
                return arriving.pop(0) if arriving else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            async with connection:
                sent.append(message)

        socket = WebSocket({"type": "websocket"}, receive, send)
        await socket.accept()
        async with asyncio.timeout(10), closing_on_revocation(socket, who):
            async for text in socket.iter_text():
                received.append(text)
                asyncio.get_running_loop().call_later(0.05, asyncio.ensure_future, revoke())
        return received

    async def revoke() -> None:
        await site.auth.sessions.revoke(who.session)

    assert site.run(work()) == ["hello"]
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 1008)


def test_stopping_lets_go(site_with: MakeSite) -> None:
    """An application that stops leaves nobody waiting."""
    site = site_with(**SOON)
    task = watching(site, principal(site))
    site.run(site.auth.stop())
    assert site.run(outcome(task))


def test_a_principal_made_by_hand(site: Site) -> None:
    """Nobody watches its session, and it says so."""
    who = principal(site)
    with pytest.raises(RuntimeError, match="by hand"):
        _ = Principal(who.session, who.user).revoked
