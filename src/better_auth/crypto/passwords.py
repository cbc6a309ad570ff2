"""Passwords: Argon2id, off the event loop, in a pool no wider than the cores.

New hashes are Argon2id at m=19456 KiB, t=2, p=1 (OWASP ASVS 5.0, 11.4.2) or stronger. Hashes made
elsewhere are verified as they are: Argon2 with other parameters, better-auth's scrypt
(``hexsalt:hexkey``) and bcrypt; a sign-in that verifies one replaces it with ours. Where the
database is shared with a better-auth server in TypeScript, new hashes are the scrypt it knows, and
what is replaced is what it does not know.
"""

import asyncio
import hashlib
import os
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hmac import compare_digest
from threading import get_native_id
from typing import Literal, TypeVar

import argon2
import bcrypt

from better_auth.errors import ServiceUnavailable

T = TypeVar("T")

_SCRYPT_COST = {"n": 16384, "r": 16, "p": 1, "dklen": 64}
_SCRYPT_MEMORY = 64 * 1024 * 1024
_BCRYPT_LIMIT = 72


@dataclass(frozen=True, slots=True)
class Verified:
    """What checking a password said: whether it is right, and a better hash to store, if due."""

    ok: bool
    new_hash: str | None = None


class PasswordHasher:
    """Hashes and checks passwords without ever blocking the event loop.

    ``memory_cost`` is in KiB. At most ``max_waiting`` calls wait for a thread; one more raises
    ``ServiceUnavailable``, so that a flood of sign-ins cannot pile up for minutes.
    """

    def __init__(
        self,
        *,
        memory_cost: int = 19456,
        time_cost: int = 2,
        parallelism: int = 1,
        max_waiting: int = 512,
        scheme: Literal["argon2", "scrypt"] = "argon2",
    ) -> None:
        self._scheme = scheme
        self._argon2 = argon2.PasswordHasher(
            time_cost=time_cost, memory_cost=memory_cost, parallelism=parallelism
        )
        self._workers = max(
            1, len(os.sched_getaffinity(0)) if _HAS_AFFINITY else os.cpu_count() or 1
        )
        self._pool: ThreadPoolExecutor | None = None
        self._limit = max_waiting
        self._waiting = 0
        # Random bytes in the shape of a hash: nobody's, and made without the time of one, which
        # would tell the first attempt on an unknown user from all others.
        self._decoy = (
            f"{os.urandom(16).hex()}:{os.urandom(64).hex()}"
            if scheme == "scrypt"
            else f"$argon2id$v=19$m={memory_cost},t={time_cost},p={parallelism}"
            f"${_unpadded(os.urandom(16))}${_unpadded(os.urandom(32))}"
        )

    async def hash(self, password: str) -> str:
        """The stored form of ``password`` (normalised to NFKC first)."""
        return await self._in_pool(lambda: self._hash(_normalise(password)))

    async def verify(self, password: str, stored: str) -> Verified:
        """Whether ``password`` is the one behind ``stored``, and a new hash where that is due."""
        return await self._in_pool(lambda: self._verify(_normalise(password), stored))

    async def pretend(self, password: str) -> None:
        """Take the time of :meth:`verify` for a user who does not exist."""
        await self._in_pool(lambda: self._verify(_normalise(password), self._decoy))

    def close(self) -> None:
        """End the threads; the next call starts new ones."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    def _hash(self, password: bytes) -> str:
        if self._scheme == "argon2":
            return self._argon2.hash(password)
        salt = os.urandom(16).hex()
        return f"{salt}:{_scrypt(password, salt)}"

    def _verify(self, password: bytes, stored: str) -> Verified:
        if stored.startswith("$argon2"):
            try:
                self._argon2.verify(stored, password)
            except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
                return Verified(ok=False)
            is_due = self._scheme != "argon2" or self._argon2.check_needs_rehash(stored)
            return Verified(ok=True, new_hash=self._hash(password) if is_due else None)
        if stored.startswith("$2"):
            ok = _verify_bcrypt(password, stored)
            return Verified(ok=ok, new_hash=self._hash(password) if ok else None)
        ok = _verify_scrypt(password, stored)
        is_due = ok and self._scheme != "scrypt"
        return Verified(ok=ok, new_hash=self._hash(password) if is_due else None)

    async def _in_pool(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._limit:
            raise ServiceUnavailable
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._workers, "better-auth-passwords", _step_back)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


_HAS_AFFINITY = hasattr(os, "sched_getaffinity")


def _step_back() -> None:
    """A hashing thread yields to the event loop: on Linux niceness belongs to the thread."""
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), 10)


def _normalise(password: str) -> bytes:
    """NFKC (NIST SP 800-63B 3.1.1.2), so that one password typed on two keyboards is the same."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _unpadded(raw: bytes) -> str:
    return b64encode(raw).decode().rstrip("=")


def _verify_bcrypt(password: bytes, stored: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_BCRYPT_LIMIT], stored.encode())
    except ValueError:
        return False


def _verify_scrypt(password: bytes, stored: str) -> bool:
    """better-auth's format; the hexadecimal text of the salt is itself the salt."""
    salt, separator, key = stored.partition(":")
    if not separator or not salt:
        return False
    return compare_digest(_scrypt(password, salt).encode(), key.encode())


def _scrypt(password: bytes, salt: str) -> str:
    """The hexadecimal key."""
    return hashlib.scrypt(password, salt=salt.encode(), maxmem=_SCRYPT_MEMORY, **_SCRYPT_COST).hex()
