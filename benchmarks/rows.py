"""The rows of the table: what is measured, against what, and what is good enough."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from statistics import median

import argon2

from benchmarks import load, postgresql, redis
from benchmarks.apps import SECRET, make_auth
from benchmarks.checks import against_bare
from benchmarks.data import PASSWORD, Filled, fill
from benchmarks.lab import Lab, Side, describe, rate_of
from benchmarks.machine import resident_bytes
from benchmarks.report import Row, at_least, at_most, by_ratio
from benchmarks.servers import Server
from benchmarks.startup import first_answer
from better_auth import AuthConfig, BetterAuth, User
from better_auth.adapters.hot_reads import REMEMBERED
from better_auth.config import PasswordConfig
from better_auth.plugins import EmailPasswordPlugin, SessionManagementPlugin, TwoFactorPlugin
from better_auth.plugins.email_password import SignInEmail
from better_auth.plugins.two_factor.messages import Code, WithPasswordForUri


def get_session_by_cookie(lab: Lab) -> Row:
    """``GET /get-session`` against an application that answers the same bytes."""
    return _get_session(lab, "get-session, cookie", lab.database.checks_by_cookie())


def get_session_by_bearer(lab: Lab) -> Row:
    """The same with ``Authorization``."""
    return _get_session(lab, "get-session, bearer", lab.database.checks_by_bearer())


def _get_session(
    lab: Lab, name: str, checks: list[bytes], filled: Filled | None = None, target: float = 0.4
) -> Row:
    return against_bare(lab, name, filled or lab.database, checks, target)


IN_USE = 1000


def growth(lab: Lab) -> Row:
    """A session check among a million stored sessions against one among a thousand; as many of
    them in use."""
    many = 100_000 if lab.quick else 1_000_000
    few = fill(lab.scratch / "few.db", IN_USE, sample=IN_USE)
    full = fill(lab.scratch / "many.db", many, sample=IN_USE)
    with (
        Server("library", lab.cores.server, database=full.path) as large,
        Server("library", lab.cores.server, database=few.path) as small,
    ):
        compared = lab.compare(
            Side(large, full.checks_by_cookie()), Side(small, few.checks_by_cookie())
        )
    return by_ratio(
        f"check among {many:,} sessions",
        f"{rate_of(compared.subject):,.0f}/s",
        f"{rate_of(compared.floor):,.0f}/s (1,000)",
        1 / compared.ratio,
        at_most(1.3),
        compared.notes,
    )


def reads(lab: Lab) -> Row:
    """``GET /get-session`` where no session comes twice before it is forgotten: each one reads."""
    filled = fill(lab.scratch / "reads.db", 8 * REMEMBERED, sample=4 * REMEMBERED)
    return _get_session(lab, "get-session, all read", filled.checks_by_cookie(), filled, 0.2)


def fastapi_route(lab: Lab) -> Row:
    """A FastAPI route with ``CurrentSession`` against the same route without."""
    user_id = "0" * 36
    checks = lab.database.checks_by_bearer("/me")
    with (
        Server("fastapi-with-session", lab.cores.server, database=lab.database.path) as subject,
        Server("fastapi-without", lab.cores.server, user_id=user_id) as floor,
    ):
        compared = lab.compare(Side(subject, checks), Side(floor, checks))
    return by_ratio(
        "FastAPI route, CurrentSession",
        f"{rate_of(compared.subject):,.0f}/s",
        f"{rate_of(compared.floor):,.0f}/s",
        compared.ratio,
        at_least(0.7),
        compared.notes,
    )


def resolve(lab: Lab) -> Row:
    """In process: token to session and user, against sqlite3 reading the same row."""
    with lab.pinned():
        one, many, raw = asyncio.run(_resolve(lab.database, 20_000 if lab.quick else 100_000))
    return Row(
        "resolve, in process",
        f"{many:.1f} µs",
        f"{raw:.1f} µs (sqlite3)",
        many / raw,
        at_most(40, "µs"),
        many,
        [f"one token over and over: {one:.1f} µs; {len(lab.database.tokens):,} tokens: {many:.1f}"],
    )


async def _resolve(database: Filled, times: int) -> tuple[float, float, float]:
    auth = make_auth(database.path)
    async with auth.lifespan():
        sessions = auth.sessions
        one = await _mean(times, cycle(database.tokens[:1]).__next__, sessions.resolve)
        many = await _mean(times, cycle(database.tokens).__next__, sessions.resolve)
        keys = [sessions.tokens.key(token) for token in database.tokens]
    connection = sqlite3.connect(database.path, isolation_level=None)
    join = "SELECT * FROM session JOIN user ON user.id = session.user_id WHERE token_key = ?"

    async def read(key: str) -> object:
        return connection.execute(join, (key,)).fetchone()

    return one, many, await _mean(times, cycle(keys).__next__, read)


async def _mean(
    times: int, next_key: Callable[[], str], ask: Callable[[str], Awaitable[object]]
) -> float:
    """Microseconds a call, on average; each call must find something."""
    started = time.perf_counter()
    for _ in range(times):
        found = await ask(next_key())
        assert found is not None
    return (time.perf_counter() - started) / times * 1e6


def sign_in(lab: Lab) -> Row:
    """Sign-ins a second on all cores, against all cores doing nothing but hash."""
    cores = sorted({lab.cores.server, lab.cores.load})
    hash_seconds = _one_hash()
    floor = len(cores) / hash_seconds
    with Server("library", *cores, database=lab.database.path) as server:
        side = Side(server, lab.database.sign_ins())
        lab.turn(side, 1.0, connections=8)
        turns = [lab.turn(side, 2 * lab.turn_seconds, connections=8) for _ in range(3)]
    measured = rate_of(turns)
    return by_ratio(
        f"sign-in, {len(cores)} cores",
        f"{measured:.1f}/s",
        f"{floor:.1f}/s",
        measured / floor,
        at_least(0.9),
        [f"one hash takes {hash_seconds * 1e3:.1f} ms alone", describe("sign-in", turns)],
    )


def _one_hash() -> float:
    cost = PasswordConfig()
    hasher = argon2.PasswordHasher(
        time_cost=cost.time_cost, memory_cost=cost.memory_cost, parallelism=cost.parallelism
    )
    stored = hasher.hash(PASSWORD)
    times = []
    for _ in range(20):
        started = time.perf_counter()
        hasher.verify(stored, PASSWORD)
        times.append(time.perf_counter() - started)
    return median(times)


def second_factor(lab: Lab) -> Row:
    """What proving a second factor takes, against the password hash before it."""
    with lab.pinned():
        hash_seconds = _one_hash()
        seconds = asyncio.run(_second_factor(lab, 20 if lab.quick else 100))
    return by_ratio(
        "second factor",
        f"{seconds * 1e3:.1f} ms",
        f"{hash_seconds * 1e3:.1f} ms (one hash)",
        seconds / hash_seconds,
        at_most(1.0),
    )


async def _second_factor(lab: Lab, times: int) -> float:
    """Seconds from the code to the session, in process, the median of ``times``."""
    sent: list[str] = []

    async def keep(_: User, code: str) -> None:
        sent.append(code)

    database = f"sqlite:///{lab.scratch / 'second.db'}"
    plugins = [EmailPasswordPlugin(), SessionManagementPlugin(), TwoFactorPlugin(send_otp=keep)]
    auth = BetterAuth(AuthConfig(SECRET), database=database, plugins=plugins)
    factors = auth.plugin(TwoFactorPlugin)
    taken = []
    async with auth.lifespan():
        user = await auth.users.create(
            name="Ada",
            email="ada@example.com",
            password_hash=await auth.context.passwords.hash(PASSWORD),
        )
        call = auth.call(token=(await auth.sessions.create(user)).token)
        enrolment = await factors.enable(call, WithPasswordForUri(password=PASSWORD))
        first = auth.call(token=enrolment.token)
        await factors.send_otp(first)
        await factors.verify_otp(first, Code(code=sent[-1]))
        entering = SignInEmail(email=user.email, password=PASSWORD)
        for _ in range(times):
            challenge = await auth.plugin(EmailPasswordPlugin).sign_in(auth.call(), entering)
            pending = auth.call(token=challenge.token)
            await factors.send_otp(pending)
            started = time.perf_counter()
            await factors.verify_otp(pending, Code(code=sent[-1]))
            taken.append(time.perf_counter() - started)
    return median(taken)


def check_during_sign_in(lab: Lab) -> Row:
    """The slowest session checks while others sign in, against when nobody does."""
    cores = sorted({lab.cores.server, lab.cores.load})
    seconds = 4 * lab.turn_seconds
    with Server("library", *cores, database=lab.database.path) as server:
        checks = load.Stream(
            server.port, lab.database.checks_by_cookie(), 8, seconds=seconds, rate=200
        )
        entering = load.Stream(server.port, lab.database.sign_ins(), 8, seconds=seconds)
        load.run([checks], lab.cores.load)
        (idle,) = load.run([checks], lab.cores.load)
        busy, entered = load.run([checks, entering], lab.cores.load)
    return by_ratio(
        "p99 of checks during sign-ins",
        f"{busy.p99:.2f} ms",
        f"{idle.p99:.2f} ms (idle)",
        busy.p99 / idle.p99,
        at_most(5.0),
        [
            f"200 checks a second; {entered.rate:.1f} sign-ins a second beside them",
            f"p50 {busy.p50:.2f} ms, idle {idle.p50:.2f} ms",
        ],
    )


def memory(lab: Lab) -> Row:
    """Resident memory after a million session checks, against after the first few."""
    count = 100_000 if lab.quick else 1_000_000
    checks = lab.database.checks_by_cookie()
    with Server("library", lab.cores.server, database=lab.database.path) as server:

        def ask(times: int) -> int:
            load.run([load.Stream(server.port, checks, count=times)], lab.cores.load)
            return resident_bytes(server.pid)

        before = ask(20_000)
        after = ask(count)
    return by_ratio(
        f"memory after {count:,} checks",
        f"{after / 2**20:.1f} MiB",
        f"{before / 2**20:.1f} MiB (20,000)",
        after / before,
        at_most(1.05),
    )


def start_up_fresh(lab: Lab) -> Row:
    """From process start to the first answer, the database still to be made."""
    return _start_up(lab, "start-up, no database", fresh=True)


def start_up_existing(lab: Lab) -> Row:
    """The same on a database that is there."""
    return _start_up(lab, "start-up, database there", fresh=False)


def _start_up(lab: Lab, name: str, *, fresh: bool) -> Row:
    interpreter = median(_bare_interpreter() for _ in range(3))
    times = []
    directory = lab.scratch / name.replace(" ", "-")
    if not fresh:
        first_answer(directory)
    for number in range(5):
        times.append(first_answer(directory / str(number) if fresh else directory))
    seconds = median(times)
    return Row(
        name,
        f"{seconds:.2f} s",
        f"{interpreter:.2f} s (python)",
        seconds / interpreter,
        at_most(1.0, "s"),
        seconds,
        [f"{min(times):.2f} to {max(times):.2f} s in {len(times)} starts of `better-auth serve`"],
    )


def _bare_interpreter() -> float:
    started = time.perf_counter()
    os.spawnvp(os.P_WAIT, "python3", ["python3", "-c", "pass"])
    return time.perf_counter() - started


ROWS: dict[str, Callable[[Lab], Row]] = {
    "cookie": get_session_by_cookie,
    "bearer": get_session_by_bearer,
    "growth": growth,
    "reads": reads,
    "fastapi": fastapi_route,
    "resolve": resolve,
    "sign-in": sign_in,
    "second-factor": second_factor,
    "during-sign-in": check_during_sign_in,
    "memory": memory,
    "start-fresh": start_up_fresh,
    "start-existing": start_up_existing,
    "postgresql": postgresql.get_session,
    "postgresql-memory": postgresql.get_session_cached,
    "postgresql-resolve": postgresql.resolve,
    "redis": redis.get_session,
    "redis-memory": redis.get_session_cached,
    "redis-resolve": redis.resolve,
}
"""Every row by the name ``--only`` takes."""
