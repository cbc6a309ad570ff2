"""Mixed traffic that knows what it should be answered: people who sign in, look, list, sign out.

Each :class:`Person` has sessions. Whoever does something to a session holds it alone meanwhile, so
every answer is known beforehand: a live session is recognised as its own, an ended one never.
"""

import asyncio
import json
import random
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from benchmarks.data import PASSWORD
from benchmarks.servers import request

SESSIONS = 6
"""Sessions of a person, about: with more, nobody signs in; with fewer, nobody signs out."""


class Unexpected(Exception):
    """An answer that is wrong."""


@dataclass(slots=True)
class Held:
    """A session somebody holds."""

    id: str
    token: str
    expires_at: str


@dataclass(slots=True)
class Person:
    """A user who can sign in, and the sessions nobody is doing anything to."""

    email: str
    id: str
    idle: list[Held] = field(default_factory=list)


class Connection:
    """One keep-alive connection that asks one thing at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, token: str | None = None, body: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        """The status and the JSON of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        headers = [("Authorization", f"Bearer {token}")] if token else []
        sent = b"" if body is None else json.dumps(body).encode()
        writer.write(request(f"/auth{path}", method=method, headers=headers, body=sent))
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("\r\ncontent-length: ")[2].partition("\r\n")[0])
            answer = json.loads(await reader.readexactly(length))
        except BaseException:
            self.close()
            raise
        return int(head[9:12]), answer

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@dataclass(slots=True)
class Tally:
    """What was done and how long it took, in seconds, by kind."""

    latencies: dict[str, "array[float]"] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    refreshed: int = 0

    def done(self, kind: str, seconds: float) -> None:
        """One of ``kind`` went well."""
        self.latencies.setdefault(kind, array("d")).append(seconds)

    def wrong(self, what: str) -> None:
        """One went wrong."""
        self.errors[what] = self.errors.get(what, 0) + 1

    @property
    def count(self) -> int:
        """How many went well."""
        return sum(map(len, self.latencies.values()))


class Crowd:
    """The people of one server."""

    def __init__(self, port: int, seed: int = 1) -> None:
        self.port = port
        self.people: list[Person] = []
        self.tally = Tally()
        self.ended: list[str] = []
        """Tokens of sessions that have ended."""
        self._random = random.Random(seed)
        self._kinds: dict[str, tuple[Callable[[Connection], Awaitable[None]], int]] = {
            "check": (self.check, 900),
            "list": (self.list, 60),
            "sign-in": (self.sign_in, 20),
            "sign-out": (self.sign_out, 10),
            "revoke": (self.revoke, 10),
        }

    async def gather(self, people: int) -> None:
        """Sign people up, and each in a few times."""
        connection = Connection(self.port)
        for number in range(people):
            email = f"person{number}@example.com"
            body = {"name": "Ada Lovelace", "email": email, "password": PASSWORD}
            answer = await _ok(connection, "POST", "/sign-up/email", body=body)
            person = Person(email, answer["user"]["id"])
            person.idle.append(await self._held(connection, person, answer["token"]))
            self.people.append(person)
            while len(person.idle) < SESSIONS:
                await self._enter(connection, person)
        connection.close()

    async def act(self, connection: Connection, since: float | None = None) -> None:
        """Do one thing, chosen at random by its share; its time counts from ``since``."""
        kinds = list(self._kinds)
        shares = [share for _, share in self._kinds.values()]
        (kind,) = self._random.choices(kinds, shares)
        began = perf_counter() if since is None else since
        try:
            await self._kinds[kind][0](connection)
        except (Unexpected, OSError, ValueError, LookupError, EOFError) as error:
            self.tally.wrong(f"{kind}: {type(error).__name__}: {error}")
        else:
            self.tally.done(kind, perf_counter() - began)

    def _with_idle(self, least: int) -> Person:
        """Anybody with so many idle sessions. There always is somebody: there are many more
        sessions than connections."""
        while True:
            person = self._random.choice(self.people)
            if len(person.idle) >= least:
                return person

    def _hold(self, person: Person) -> Held:
        """Take one of the idle sessions."""
        idle = person.idle
        index = self._random.randrange(len(idle))
        idle[index], idle[-1] = idle[-1], idle[index]
        return idle.pop()

    async def check(self, connection: Connection) -> None:
        """Ask who is there."""
        person = self._with_idle(1)
        held = self._hold(person)
        try:
            found = await _ok(connection, "GET", "/get-session", held.token)
            if (found["user"]["id"], found["session"]["id"]) != (person.id, held.id):
                raise Unexpected("somebody else's session")
            if found["session"]["expiresAt"] != held.expires_at:
                held.expires_at = found["session"]["expiresAt"]
                self.tally.refreshed += 1
        finally:
            person.idle.append(held)

    async def list(self, connection: Connection) -> None:
        """List the sessions: the own one and the idle ones are there, nobody else's is."""
        person = self._with_idle(1)
        held = self._hold(person)
        try:
            sure = {held.id, *(other.id for other in person.idle)}
            listed = await _ok(connection, "GET", "/list-sessions", held.token)
            sure &= {held.id, *(other.id for other in person.idle)}  # others have come and gone
            if {session["userId"] for session in listed["sessions"]} != {person.id}:
                raise Unexpected("somebody else's sessions")
            if not sure <= {session["id"] for session in listed["sessions"]}:
                raise Unexpected("a session is missing")
        finally:
            person.idle.append(held)

    async def sign_in(self, connection: Connection) -> None:
        """Sign in once more, where there are few sessions; else :meth:`sign_out`."""
        person = self._with_idle(1)
        if len(person.idle) > SESSIONS:
            await self._leave(connection, person)
        else:
            await self._enter(connection, person)

    async def sign_out(self, connection: Connection) -> None:
        """Sign out, and be nobody at once; where there are few sessions, sign in."""
        person = self._with_idle(1)
        if len(person.idle) < SESSIONS:
            await self._enter(connection, person)
        else:
            await self._leave(connection, person)

    async def revoke(self, connection: Connection) -> None:
        """End one session from another of the same person; it is nobody's at once."""
        person = self._with_idle(2)
        held, other = self._hold(person), self._hold(person)
        try:
            answer = await _ok(
                connection, "POST", "/revoke-session", held.token, {"token": other.token}
            )
            if answer != {"success": True}:
                raise Unexpected(f"revoke-session answers {answer}")
            await self._is_nobody(connection, other.token)
        finally:
            person.idle.append(held)

    async def _enter(self, connection: Connection, person: Person) -> None:
        body = {"email": person.email, "password": PASSWORD}
        answer = await _ok(connection, "POST", "/sign-in/email", body=body)
        person.idle.append(await self._held(connection, person, answer["token"]))

    async def _held(self, connection: Connection, person: Person, token: str) -> Held:
        found = await _ok(connection, "GET", "/get-session", token)
        if found["user"]["id"] != person.id:
            raise Unexpected("somebody else's session")
        return Held(found["session"]["id"], token, found["session"]["expiresAt"])

    async def _leave(self, connection: Connection, person: Person) -> None:
        held = self._hold(person)
        await _ok(connection, "POST", "/sign-out", held.token)
        await self._is_nobody(connection, held.token)

    async def _is_nobody(self, connection: Connection, token: str) -> None:
        self.ended.append(token)
        status, _ = await connection.ask("GET", "/get-session", token)
        if status != 401:
            raise Unexpected(f"an ended session is answered {status}")

    async def verify(self, at_most: int = 2000) -> None:
        """Everybody's idle sessions are live, and what has ended is ended still."""
        connection = Connection(self.port)
        for person in self.people:
            for held in person.idle:
                found = await _ok(connection, "GET", "/get-session", held.token)
                if found["session"]["id"] != held.id:
                    raise Unexpected("somebody else's session")
        for token in self.ended[-at_most:]:
            status, _ = await connection.ask("GET", "/get-session", token)
            if status != 401:
                raise Unexpected(f"an ended session is answered {status}")
        connection.close()


async def _ok(
    connection: Connection,
    method: str,
    path: str,
    token: str | None = None,
    body: dict[str, Any] | None = None,
) -> Any:
    status, answer = await connection.ask(method, path, token, body)
    if status != 200:
        raise Unexpected(f"{path} answers {status} {answer}")
    return answer
