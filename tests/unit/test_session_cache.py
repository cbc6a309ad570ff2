"""Sessions in memory: what is kept, what is not, and when nothing is believed."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from better_auth.adapters import SessionCache, in_, le
from better_auth.adapters.rows import names_in
from better_auth.adapters.session_cache import Name
from better_auth.models import Found, Session, User

NOW = datetime(2024, 1, 1, tzinfo=UTC)


class Seconds:
    """A clock of seconds to move."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def found(number: int, user: int = 1, text: str = "") -> Found:
    """A session of a user, as a read finds them."""
    times = {"created_at": NOW, "updated_at": NOW}
    return Found(
        Session(
            id=f"s{number}",
            user_id=f"u{user}",
            token_key=f"k{number}",
            expires_at=NOW + timedelta(days=7),
            authenticated_at=NOW,
            user_agent=text or None,
            **times,
        ),
        User(id=f"u{user}", name="Ada", email=f"u{user}@example.com", **times),
    )


@pytest.fixture
def seconds() -> Seconds:
    """The cache's clock."""
    return Seconds()


@pytest.fixture
def cache(seconds: Seconds) -> SessionCache:
    """A cache whose feed has just proven itself."""
    cache = SessionCache(max_entries=3, max_bytes=20_000, max_staleness=1.0, now=seconds)
    cache.proven(seconds())
    return cache


def keep(cache: SessionCache, number: int, user: int = 1, text: str = "") -> None:
    """Store what a read found."""
    with cache.reading() as reading:
        cache.store(reading, f"k{number}", found(number, user, text))


def test_believed_for_max_staleness_after_a_proof(cache: SessionCache, seconds: Seconds) -> None:
    """To the moment, and again after the next proof, which counts from when it was sent."""
    keep(cache, 1)
    assert cache.get("k1") == found(1)
    seconds.now += 1.0
    assert cache.get("k1") is not None
    seconds.now += 0.001
    assert cache.get("k1") is None
    cache.proven(seconds() - 0.9)
    assert cache.get("k1") is not None
    seconds.now += 0.101
    assert cache.get("k1") is None
    assert cache.statistics.stood_aside == 2


@pytest.mark.parametrize("name", [("key", "k1"), ("session", "s1"), ("user", "u1")])
def test_forget(cache: SessionCache, name: tuple[str, str]) -> None:
    """By each name, and nothing else with it."""
    keep(cache, 1)
    keep(cache, 2, user=2)
    cache.forget([name])  # type: ignore[list-item]
    assert cache.get("k1") is None
    assert cache.get("k2") is not None


def change(cache: SessionCache, name: Name | None) -> None:
    """Tell that what goes by ``name`` has changed, or anything may have."""
    if name is None:
        cache.clear()
    else:
        cache.forget([name])


@pytest.mark.parametrize("name", [("key", "k1"), ("session", "s1"), ("user", "u1"), None])
def test_what_changes_during_a_read_is_not_kept(cache: SessionCache, name: Name | None) -> None:
    """The read may have seen it as it was."""
    with cache.reading() as reading:
        change(cache, name)
        cache.store(reading, "k1", found(1))
    assert cache.get("k1") is None
    keep(cache, 1)
    assert cache.get("k1") is not None, "the next read is kept"


def test_nothing_is_kept_after_the_read(cache: SessionCache) -> None:
    """Changes are told to it only while it lasts."""
    with cache.reading() as reading:
        pass
    cache.store(reading, "k1", found(1))
    assert cache.get("k1") is None


def test_nothing_is_kept_unproven(cache: SessionCache, seconds: Seconds) -> None:
    """What is read while the feed is silent would be believed at its next word."""
    seconds.now += 1.5
    keep(cache, 1)
    cache.proven(seconds())
    assert cache.get("k1") is None
    keep(cache, 1)
    cache.stand_aside()
    cache.proven(seconds())
    assert cache.get("k1") is None


def test_bounds(cache: SessionCache) -> None:
    """In entries and in bytes; the oldest goes first, and all goes with its indexes."""
    for number in range(1, 6):
        keep(cache, number)
    assert len(cache) == 3
    assert cache.get("k2") is None
    assert cache.get("k3") is not None
    keep(cache, 6, text="x" * 10_000)
    assert cache.bytes <= 20_000
    assert cache.get("k6") is not None
    keep(cache, 7, text="x" * 30_000)
    assert cache.get("k7") is None, "larger than all there may be"
    cache.forget([("user", "u1")])
    assert (len(cache), cache.bytes) == (0, 0)


@pytest.mark.parametrize("late", ["k1", "k2"])
def test_a_session_is_kept_under_one_token(cache: SessionCache, late: str) -> None:
    """One whose token was changed elsewhere may be read by the new one before that is told: of the
    old one nothing stays, nor of the new one where a read by the old one came late."""
    early = {"k1": "k2", "k2": "k1"}[late]
    for key in (early, late):
        with cache.reading() as reading:
            cache.store(reading, key, found(1))
    assert cache.get(early) is None
    assert cache.get(late) is not None
    cache.forget([("session", "s1")])
    assert cache.get(late) is None
    assert (len(cache), cache.bytes) == (0, 0)


class Labelled(User):
    """A user with values that hold others."""

    labels: list[dict[str, str]] = []
    home: User | None = None


def test_what_values_hold_counts_too(cache: SessionCache) -> None:
    """A list, or another model, is as large as what is in it."""
    plain = found(1)
    user = Labelled(**plain.user.__dict__)
    keep(cache, 1)
    small = cache.bytes
    for more in ({"labels": [{"name": "x" * 5000}]}, {"home": user.revised(name="x" * 5000)}):
        with cache.reading() as reading:
            cache.store(reading, "k1", Found(plain.session, user.revised(more)))
        assert small + 5000 < cache.bytes < small + 8000
    with cache.reading() as reading:
        cache.store(reading, "k1", Found(plain.session, user.revised(labels=[{"x" * 30_000: ""}])))
    assert (len(cache), cache.bytes) == (0, 0), "larger than all there may be"


SUSPENDED = """
import time
from better_auth.adapters import SessionCache
cache = SessionCache(max_entries=1, max_bytes=2000, max_staleness=1.0)
assert cache.now() - time.monotonic() > 99_000
"""


def test_a_suspended_machine_proves_nothing() -> None:
    """Time goes on while the machine is suspended, and what was proven before it is past then."""
    later = ["unshare", "--time", "--fork", "--boottime", "100000"]  # as after a suspension
    if shutil.which("unshare") is None or subprocess.run([*later, "true"]).returncode:
        pytest.skip("a clock of its own needs Linux, and root")
    done = subprocess.run([*later, sys.executable, "-c", SUSPENDED], timeout=30)
    assert done.returncode == 0


def listed(*numbers: int, user: int = 1) -> list[Session]:
    """A user's sessions, as a read finds them."""
    return [found(number, user).session for number in numbers]


def keep_listing(cache: SessionCache, *numbers: int, user: int = 1) -> None:
    """Store a listing that a read found."""
    with cache.reading() as reading:
        cache.store_listing(reading, f"u{user}", listed(*numbers, user=user))


def test_a_listing_is_believed_as_long(cache: SessionCache, seconds: Seconds) -> None:
    """As sessions are, and counted as they are."""
    keep_listing(cache, 1, 2)
    assert cache.listing("u1") == listed(1, 2)
    assert cache.get("u1") is None, "a user's id opens nothing"
    seconds.now += 1.001
    assert cache.listing("u1") is None
    assert (cache.statistics.hits, cache.statistics.stood_aside) == (1, 1)


@pytest.mark.parametrize("name", [("session", "s2"), ("user", "u1"), ("listing", "u1"), None])
def test_a_listing_is_forgotten(cache: SessionCache, name: Name | None) -> None:
    """With any of its sessions, its user, a new session; another user's stays, but for all. What
    is named during a read is not kept."""
    keep_listing(cache, 1, 2)
    keep_listing(cache, 3, user=2)
    with cache.reading() as reading:
        change(cache, name)
        assert cache.listing("u1") is None
        assert (cache.listing("u2") is None) == (name is None)
        cache.store_listing(reading, "u1", listed(1, 2))
    assert cache.listing("u1") is None
    keep_listing(cache, 1, 2)
    assert cache.listing("u1") is not None, "the next read is kept"


def test_a_new_session_changes_the_listing_alone(cache: SessionCache) -> None:
    """The user's sessions are as they were."""
    keep(cache, 1)
    cache.forget([("listing", "u1")])
    assert cache.get("k1") is not None


def test_a_session_that_moved_is_in_one_listing(cache: SessionCache) -> None:
    """Nobody's listing stays that is not told of by its sessions."""
    keep_listing(cache, 1)
    keep_listing(cache, 1, 2, user=2)
    assert cache.listing("u1") is None
    keep_listing(cache, 3)
    cache.forget([("session", "s3")])
    assert cache.listing("u1") is None
    cache.forget([("session", "s1")])
    assert cache.listing("u2") is None
    assert (len(cache), cache.bytes) == (0, 0)


def test_listings_share_the_bounds() -> None:
    """Each listed session counts; the oldest of all goes first, and all goes with its indexes."""
    cache = SessionCache(max_entries=4, max_bytes=20_000, max_staleness=1.0)
    cache.proven(cache.now())
    keep(cache, 1)
    keep_listing(cache, 1, 2)
    keep(cache, 5, user=2)
    assert len(cache) == 4
    keep(cache, 6, user=3)
    assert cache.get("k1") is None, "the oldest"
    assert cache.listing("u1") is not None
    keep(cache, 7, user=4)
    assert cache.listing("u1") is None, "the next"
    assert len(cache) == 3
    keep_listing(cache, *range(10, 15))
    assert cache.listing("u1") is None, "more than all there may be"
    with cache.reading() as reading:
        cache.store_listing(reading, "u1", [found(20, text="x" * 30_000).session])
    assert cache.listing("u1") is None, "larger than all there may be"
    assert len(cache) == 3
    cache.forget([("user", f"u{user}") for user in range(1, 5)])
    assert (len(cache), cache.bytes) == (0, 0)


def test_nothing_listed_is_kept_unproven(cache: SessionCache) -> None:
    """Nor what was there before the feed was interrupted."""
    keep_listing(cache, 1)
    cache.stand_aside()
    keep_listing(cache, 1)
    cache.proven(cache.now())
    assert cache.listing("u1") is None


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (found(1).session.__dict__, [("session", "s1"), ("listing", "u1")]),
        ({"id": in_(["s1", "s2"])}, [("session", "s1"), ("session", "s2")]),
        ({"user_id": "u1", "expires_at": le(NOW)}, [("user", "u1")]),
        ({"user_id": "u1", "token_key": in_(["k1"])}, [("key", "k1"), ("listing", "u1")]),
        ({"token_key": "k1"}, None),
        ({"expires_at": le(NOW)}, None),
    ],
)
def test_what_a_change_is_called(where: dict[str, object], names: list[object] | None) -> None:
    """What may have changed, with whose listing shows it; None where it could be anything."""
    assert names_in(where, "session") == names
