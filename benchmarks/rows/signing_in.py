"""Signing in: a password hash costs more than everything else together."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from statistics import median

import argon2

from benchmarks import load
from benchmarks.apps import SECRET
from benchmarks.data import PASSWORD
from benchmarks.lab import Lab, Side, describe, rate_of
from benchmarks.report import Row, at_least, at_most, by_ratio
from benchmarks.servers import Server
from better_auth import AuthConfig, BetterAuth, User
from better_auth.config import PasswordConfig
from better_auth.plugins import EmailPasswordPlugin, SessionManagementPlugin, TwoFactorPlugin
from better_auth.plugins.email_password import SignInEmail
from better_auth.plugins.two_factor.messages import ConfirmingCode, WithPasswordForUri


def sign_in(lab: Lab) -> Row:
    """Sign-ins a second on all cores, against what as many hashes as one core makes by itself
    would be on all of them.

    Cores share memory, and hashes need much of it: the notes say what all cores reach that do
    nothing else, which is less.
    """
    cores = sorted({lab.cores.server, lab.cores.load})
    hash_seconds = _one_hash()
    together = _hashes_together(len(cores))
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
        [
            f"one hash takes {hash_seconds * 1e3:.1f} ms alone; {len(cores)} threads that only "
            f"hash make {together:.1f}/s, of which sign-ins are {measured / together:.2f}",
            describe("sign-in", turns),
        ],
    )


def _hasher() -> argon2.PasswordHasher:
    cost = PasswordConfig()
    return argon2.PasswordHasher(
        time_cost=cost.time_cost, memory_cost=cost.memory_cost, parallelism=cost.parallelism
    )


def _hashes_together(threads: int, each: int = 60) -> float:
    """Hashes a second of so many threads that do nothing else."""
    hasher = _hasher()
    stored = hasher.hash(PASSWORD)
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        list(pool.map(lambda _: hasher.verify(stored, PASSWORD), range(threads * each)))
        return threads * each / (time.perf_counter() - started)


def _one_hash() -> float:
    hasher = _hasher()
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
    now = datetime.now(UTC)
    auth = BetterAuth(AuthConfig(SECRET), database=database, plugins=plugins, clock=lambda: now)
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
        await factors.verify_otp(first, ConfirmingCode(code=sent[-1]))
        entering = SignInEmail(email=user.email, password=PASSWORD)
        for _ in range(times):
            now += timedelta(hours=1)  # so that no limit on codes is met
            challenge = await auth.plugin(EmailPasswordPlugin).sign_in(auth.call(), entering)
            pending = auth.call(token=challenge.token)
            await factors.send_otp(pending)
            started = time.perf_counter()
            await factors.verify_otp(pending, ConfirmingCode(code=sent[-1]))
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
