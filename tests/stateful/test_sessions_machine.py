"""Sign-ups, sign-ins, revocations, time and secrets in any order, against a plain model.

The model is a list of devices with the end of each: nobody in who should be out, nobody out who
should be in.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from better_auth import BetterAuth, User
from better_auth.adapters import SessionCache
from tests import databases
from tests.support import COOKIE, PASSWORD, SECRET, MovableClock, bearer, make_auth

T = TypeVar("T")
EXPIRES_IN = timedelta(days=7)
SHORT = timedelta(days=1)
HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$gxVXDxVlW6hZ0hUdk0nnIQ$"
    "qzrrKZ1rhY8iLkwUPyOnOJ1vwqNYh5U1hRmOHkW8d4U"
)


@dataclass
class Device:
    """What the model knows of one session."""

    email: str
    id: str
    token: str
    expires_at: datetime
    remember: bool
    created: int
    ends_at: datetime | None = None


class SessionsMachine(RuleBasedStateMachine):
    """The default policy."""

    options: dict[str, Any] = {}
    update_age = timedelta(days=1)
    max_lifetime: timedelta | None = None
    limit: int | None = None
    refreshes = True

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = ExitStack()
        self.clock = MovableClock()
        self.secrets = [SECRET]
        self.users: dict[str, User] = {}
        self.devices: list[Device] = []
        self.made = 0

    def storage(self) -> dict[str, Any]:
        """Where sessions are kept, if not in the table."""
        return {}

    def database(self) -> str:
        """The database's URL."""
        return "sqlite://"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``."""
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        """A new application with nobody in it."""
        self.auth: BetterAuth[Any] = make_auth(
            clock=self.clock,
            database=self.database(),
            session={
                **self.options,
                **self.storage(),
                "update_age": self.update_age,
                "purge_interval": None,
            },
        )
        self.run(self.auth.start())
        if self.auth.database.cache is not None:
            self.run(self.until_memory_counts(self.auth.database.cache))

    async def until_memory_counts(self, cache: SessionCache) -> None:
        """Return when what is in memory is believed."""
        while not cache.is_current:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.005)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request, through the whole ASGI application."""

        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(self.auth)
            async with httpx.AsyncClient(transport=transport, base_url="http://x/auth") as client:
                return await client.request(method, path, json=body, headers=headers)

        return self.run(work())

    def live(self, email: str | None = None) -> list[Device]:
        """The devices that should be in, newest first."""
        now = self.clock()
        return sorted(
            (
                device
                for device in self.devices
                if device.expires_at > now and email in (None, device.email)
            ),
            key=lambda device: -device.created,
        )

    def pick(self, data: st.DataObject) -> Device:
        """Any live device."""
        return data.draw(st.sampled_from(self.live()))

    def touched(self, device: Device) -> None:
        """What presenting a token does to its session's end."""
        now = self.clock()
        if not (device.remember and self.refreshes):
            return
        if device.expires_at - now <= EXPIRES_IN - self.update_age:
            moved = now + EXPIRES_IN
            device.expires_at = min(moved, device.ends_at) if device.ends_at else moved

    def entered(self, email: str, id: str, token: str, remember: bool) -> None:
        """A sign-in: the model's, with the oldest making room."""
        now = self.clock()
        if self.limit is not None:
            for old in self.live(email)[self.limit - 1 :]:
                self.devices.remove(old)
        expires_at = now + (EXPIRES_IN if remember else SHORT)
        ends_at = now + self.max_lifetime if self.max_lifetime else None
        if ends_at:
            expires_at = min(expires_at, ends_at)
        self.made += 1
        self.devices.append(Device(email, id, token, expires_at, remember, self.made, ends_at))
        self.clock.move(milliseconds=1)

    @rule()
    def user_arrives(self) -> None:
        """A user made by an operator."""
        self.made += 1
        email = f"user{self.made:04}@example.com"
        self.users[email] = self.run(
            self.auth.users.create(name="Ada", email=email, password_hash=HASH)
        )

    @rule(remember=st.booleans())
    def sign_up(self, remember: bool) -> None:
        """A real sign-up, hash and all."""
        self.made += 1
        email = f"new{self.made:04}@example.com"
        body = {"name": "Ada", "email": email, "password": PASSWORD, "rememberMe": remember}
        answer = self.ask("POST", "/sign-up/email", body)
        assert answer.status_code == 200
        user = self.run(self.auth.users.find_by_email(email))
        assert user is not None
        self.users[email] = user
        (session,) = self.run(self.auth.sessions.list_for(user.id))
        self.entered(email, session.id, answer.json()["token"], remember)

    @precondition(lambda self: self.users)
    @rule(data=st.data(), remember=st.booleans())
    def session_begins(self, data: st.DataObject, remember: bool) -> None:
        """A session by whatever way of signing in."""
        email = data.draw(st.sampled_from(sorted(self.users)))
        session = self.run(self.auth.sessions.create(self.users[email], remember=remember))
        self.entered(email, session.id, session.token, remember)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), by_cookie=st.booleans())
    def get_session(self, data: st.DataObject, by_cookie: bool) -> None:
        """A live token is let in, and its end is the model's."""
        device = self.pick(data)
        before = device.expires_at
        self.touched(device)
        headers = {"Cookie": f"{COOKIE}={device.token}"} if by_cookie else bearer(device.token)
        answer = self.ask("GET", "/get-session", **headers)
        assert answer.status_code == 200
        body = answer.json()
        assert body["user"]["email"] == device.email
        assert body["session"]["id"] == device.id
        assert datetime.fromisoformat(body["session"]["expiresAt"]) == device.expires_at
        assert ("set-cookie" in answer.headers) == (by_cookie and device.expires_at != before)

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def list_sessions(self, data: st.DataObject) -> None:
        """A listing is exactly the model's, newest first."""
        device = self.pick(data)
        self.touched(device)
        listed = self.ask("GET", "/list-sessions", **bearer(device.token)).json()["sessions"]
        assert [s["id"] for s in listed] == [d.id for d in self.live(device.email)]

    @precondition(lambda self: self.live())
    @rule(data=st.data(), how=st.sampled_from(["token", "id", "handle"]), own=st.booleans())
    def revoke_session(self, data: st.DataObject, how: str, own: bool) -> None:
        """One's own session ends; anybody else's stays; the answer is the same."""
        device = self.pick(data)
        self.touched(device)
        target = data.draw(st.sampled_from(self.live(device.email) if own else self.devices))
        body = {
            "token": {"token": target.token},
            "id": {"id": target.id},
            "handle": {"token": self.auth.sessions.tokens.handle(target.id)},
        }[how]
        answer = self.ask("POST", "/revoke-session", body, **bearer(device.token))
        assert answer.json() == {"success": True}
        if target.email == device.email:
            self.devices.remove(target)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), others=st.booleans())
    def revoke_many(self, data: st.DataObject, others: bool) -> None:
        """All of a user's sessions, or all but one; the count is exact."""
        device = self.pick(data)
        self.touched(device)
        ended = [d for d in self.live(device.email) if not (others and d is device)]
        path = "/revoke-other-sessions" if others else "/revoke-sessions"
        answer = self.ask("POST", path, **bearer(device.token))
        assert answer.json() == {"count": len(ended)}
        self.devices = [
            d for d in self.devices if d.email != device.email or (others and d is device)
        ]

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def sign_out(self, data: st.DataObject) -> None:
        """This session, and no other, ends."""
        device = self.pick(data)
        assert self.ask("POST", "/sign-out", **bearer(device.token)).json() == {"success": True}
        self.devices.remove(device)

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def rotate(self, data: st.DataObject) -> None:
        """A new token; the old one is dead."""
        device = self.pick(data)
        self.touched(device)
        principal = self.run(self.auth.sessions.resolve(device.token))
        assert principal is not None
        old, device.token = (
            device.token,
            self.run(self.auth.sessions.rotate(principal.session)).token,
        )
        assert self.ask("GET", "/get-session", **bearer(old)).status_code == 401

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def user_leaves(self, data: st.DataObject) -> None:
        """A deleted user's sessions are all over."""
        email = data.draw(st.sampled_from(sorted(self.users)))
        assert self.run(self.auth.users.delete(self.users.pop(email)))
        gone = [d for d in self.devices if d.email == email]
        self.devices = [d for d in self.devices if d.email != email]
        for device in gone:
            assert self.ask("GET", "/get-session", **bearer(device.token)).status_code == 401

    @rule(hours=st.sampled_from([1, 12, 23, 24, 25, 24 * 6, 24 * 7]))
    def time_passes(self, hours: int) -> None:
        """Some sessions end by themselves."""
        self.clock.move(hours=hours)

    @rule(batch=st.integers(1, 3))
    def purge(self, batch: int) -> None:
        """Exactly the expired rows go."""

        async def work() -> int:
            return sum([gone async for gone in self.auth.sessions.purge(batch)])

        now = self.clock()
        assert self.run(work()) == sum(d.expires_at <= now for d in self.devices)
        self.devices = [d for d in self.devices if d.expires_at > now]

    @rule()
    def secret_rotates(self) -> None:
        """A new secret in front of the old ones logs nobody out."""
        self.secrets.insert(0, f"rotated-secret-{uuid4().hex}-{uuid4().hex}")
        session = {**self.options, "update_age": self.update_age, "purge_interval": None}
        self.auth = make_auth(
            clock=self.clock, session=session, secrets=self.secrets, database=self.auth.database
        )
        self.run(self.auth.database.connect())
        self.run(self.auth.start())

    @invariant()
    def everybody_is_where_they_should_be(self) -> None:
        """Who is in and who is out, asked of the manager without refreshing anything."""
        now = self.clock()
        for email, user in self.users.items():
            listed = self.run(self.auth.sessions.list_for(user.id))
            assert [s.id for s in listed] == [d.id for d in self.live(email)]
            assert [s.expires_at for s in listed] == [d.expires_at for d in self.live(email)]
        for device in self.devices:
            if device.expires_at <= now:
                assert self.run(self.auth.sessions.resolve(device.token)) is None

    def teardown(self) -> None:
        """Close the database and the loop."""
        if hasattr(self, "auth"):
            self.run(self.auth.stop())
        self.loop.close()
        self.stack.close()


class LimitedMachine(SessionsMachine):
    """Two sessions a user, handles, a refresh at each use, an end at ten days."""

    options = {
        "max_sessions_per_user": 2,
        "list_tokens": "handles",
        "max_lifetime": timedelta(days=10),
    }
    update_age = timedelta(0)
    max_lifetime = timedelta(days=10)
    limit = 2


class StillMachine(SessionsMachine):
    """Nothing is ever extended."""

    options = {"disable_refresh": True}
    refreshes = False


class PostgresMachine(SessionsMachine):
    """The default policy on PostgreSQL."""

    def database(self) -> str:
        return self.stack.enter_context(databases.new_database("postgresql"))


class CachedMachine(PostgresMachine):
    """With sessions and listings in memory, few enough that some must always go."""

    def storage(self) -> dict[str, Any]:
        return {"cache": {"enabled": True, "max_entries": 5}}


class RedisMachine(LimitedMachine):
    """The same with sessions in Redis."""

    kind = "redis"

    def storage(self) -> dict[str, Any]:
        return databases.session_settings(self.kind)


class RedisBesideMachine(RedisMachine):
    """And with the table beside it."""

    kind = "redis-and-table"


COMMON = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestSessions = SessionsMachine.TestCase
TestSessions.settings = COMMON
TestLimited = LimitedMachine.TestCase
TestLimited.settings = COMMON
TestStill = StillMachine.TestCase
TestStill.settings = COMMON
if databases.is_reachable("postgresql"):
    TestPostgres = PostgresMachine.TestCase
    TestPostgres.settings = settings(COMMON, max_examples=5)
    TestCached = CachedMachine.TestCase
    TestCached.settings = settings(COMMON, max_examples=8)
if databases.is_reachable("redis"):
    TestRedis = RedisMachine.TestCase
    TestRedis.settings = settings(COMMON, max_examples=12)
    TestRedisBeside = RedisBesideMachine.TestCase
    TestRedisBeside.settings = settings(COMMON, max_examples=12)
