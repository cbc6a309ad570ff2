"""How passwords are kept: at what cost, off the event loop, and hashes that come from elsewhere."""

import asyncio
import hashlib
import os
import threading
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import argon2
import bcrypt
import pytest

from better_auth.crypto import PasswordHasher
from better_auth.errors import ServiceUnavailable
from tests.conftest import Site
from tests.support import PASSWORD, bearer


@pytest.fixture
def site_with(site_with: Callable[..., Site]) -> Callable[..., Site]:
    """With the hashes that applications have."""
    return lambda **settings: site_with(**{"password": {}, **settings})


def scrypt(password: str) -> str:
    """``password`` as better-auth keeps it: hexadecimal salt and key."""
    salt = os.urandom(16).hex()
    normalised = unicodedata.normalize("NFKC", password).encode()
    key = hashlib.scrypt(
        normalised, salt=salt.encode(), n=16384, r=16, p=1, dklen=64, maxmem=64 * 1024 * 1024
    )
    return f"{salt}:{key.hex()}"


def stored_hash(site: Site, user_id: str) -> str:
    """What the database keeps of a user's password."""
    account = site.run(site.auth.users.credential(user_id))
    assert account is not None
    assert account.password_hash is not None
    return account.password_hash


def test_argon2id(site: Site) -> None:
    """ "Argon2id at m=19456 KiB, t=2, p=1 or stronger", and salted: two alike are kept unlike."""
    first = site.browser().sign_up("a@example.com").json()["user"]["id"]
    second = site.browser().sign_up("b@example.com").json()["user"]["id"]
    kept = [stored_hash(site, user_id) for user_id in (first, second)]
    assert all(text.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for text in kept)
    assert kept[0] != kept[1]


def test_stronger_by_configuration(site_with: Callable[..., Site]) -> None:
    """ "m=19456 KiB, t=2, p=1 or *stronger*"."""
    site = site_with(password={"memory_cost": 20480, "time_cost": 3, "parallelism": 2})
    user_id = site.browser().sign_up().json()["user"]["id"]
    assert stored_hash(site, user_id).startswith("$argon2id$v=19$m=20480,t=3,p=2$")


IMPORTED = {
    "scrypt": scrypt,
    "bcrypt 2b": lambda p: bcrypt.hashpw(p.encode(), bcrypt.gensalt(4)).decode(),
    "bcrypt 2y": lambda p: (
        bcrypt.hashpw(p.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$", 1)
    ),
    "argon2id, weaker": argon2.PasswordHasher(1, 8192, 1).hash,
    "argon2id, more threads": argon2.PasswordHasher(2, 19456, 4).hash,
    "argon2i": argon2.PasswordHasher(2, 19456, 1, type=argon2.Type.I).hash,
}


@pytest.mark.parametrize("kind", IMPORTED)
def test_verified_and_upgraded(site: Site, kind: str) -> None:
    """ "hashes with other parameters, scrypt (better-auth's) and bcrypt are verified and upgraded
    at sign-in"."""
    imported = IMPORTED[kind](PASSWORD)
    user = site.user(password_hash=imported)
    browser = site.browser()
    assert browser.sign_in(password=PASSWORD + "x").status_code == 401
    assert stored_hash(site, user.id) == imported, "a failure changes nothing"
    assert browser.sign_in().status_code == 200
    upgraded = stored_hash(site, user.id)
    assert upgraded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert browser.sign_in().status_code == 200
    assert stored_hash(site, user.id) == upgraded, "once is enough"
    assert browser.sign_in(password=PASSWORD + "x").status_code == 401


def test_a_long_password_behind_bcrypt(site: Site) -> None:
    """ "bcrypt are verified": at 72 bytes, where bcrypt stops reading; what replaces it reads the
    whole password."""
    long = "p" * 80
    site.user(password_hash=bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode())
    assert site.browser().sign_in(password=long).status_code == 200
    assert site.browser().sign_in(password=long[:79] + "q").status_code == 401


@pytest.mark.parametrize(
    "broken",
    [
        "",
        ":",
        "abc",
        "abc:",
        ":abc",
        "$2b$",
        "$2b$99$x",
        "$argon2id$",
        "$argon2id$v=19$m=1",
        "$5$x$y",
    ],
)
def test_a_broken_hash_is_a_wrong_password(site: Site, broken: str) -> None:
    """ "Unknown e-mail and wrong password: the same 401": also where the stored hash is none."""
    site.user(password_hash=broken or None)
    for password in (PASSWORD, "", broken):
        answer = site.browser().sign_in(password=password)
        assert answer.status_code == 401
        assert answer.json()["code"] == "INVALID_EMAIL_OR_PASSWORD"


def test_off_the_event_loop(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "hashed off the event loop": session checks are answered while a password is hashed, even
    if that never ends."""
    token = site.browser().sign_up().json()["token"]
    started, end = threading.Event(), threading.Event()
    verify = argon2.PasswordHasher.verify

    def slow(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        started.set()
        assert end.wait(20)
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", slow)
    with ThreadPoolExecutor(1) as pool:
        sign_in = pool.submit(site.browser().sign_in)
        assert started.wait(20)
        for _ in range(5):
            assert site.client().get("/get-session", headers=bearer(token)).status_code == 200
        assert not sign_in.done()
        end.set()
        assert sign_in.result().status_code == 200


def test_an_unknown_user_costs_one_hash(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Unknown e-mail and wrong password: the same 401 in the same time": one verification each,
    at the same cost, from the first attempt on."""
    done: list[str] = []
    real = argon2.PasswordHasher.verify

    def verify(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        done.append(stored[: stored.rindex(",p=") + 4])
        return real(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verify)
    monkeypatch.setattr(argon2.PasswordHasher, "hash", lambda *_: pytest.fail("hashed as well"))
    for count in (1, 2):
        assert site.browser().sign_in().status_code == 401
        assert done == ["$argon2id$v=19$m=19456,t=2,p=1"] * count


def test_in_a_bounded_pool() -> None:
    """ "in a bounded pool no wider than the cores": so many hashes run at once, and no more."""
    running = peak = 0

    class Counting(PasswordHasher):
        def _verify(self, password: bytes, stored: str):  # type: ignore[no-untyped-def]
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            time.sleep(0.01)
            running -= 1
            return super()._verify(password, "x")

    async def flood() -> None:
        hasher = Counting()
        await asyncio.gather(*(hasher.verify("password", "x") for _ in range(30)))
        hasher.close()

    asyncio.run(flood())
    assert 1 <= peak <= len(os.sched_getaffinity(0))


def test_a_flood_is_refused() -> None:
    """ "in a *bounded* pool": who would have to wait too long is told so at once (503)."""

    async def flood() -> list[object]:
        hasher = PasswordHasher(max_waiting=3)
        return await asyncio.gather(
            *(hasher.hash("password") for _ in range(5)), return_exceptions=True
        )

    results = asyncio.run(flood())
    assert [isinstance(result, str) for result in results] == [True, True, True, False, False]
    assert all(isinstance(result, ServiceUnavailable) for result in results[3:])
