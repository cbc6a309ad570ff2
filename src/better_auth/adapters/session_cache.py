"""Sessions in memory, for no longer than they are certain to be true.

The promise: after a change to a session or its user is acknowledged, nobody is answered with the
old state for longer than ``max_staleness``, whatever happens to the network. A *feed* of changes
(``postgresql_feed.py``) names what is no longer true, and proves, again and again, that it has
delivered every change up to some moment (:meth:`SessionCache.proven`). Past ``max_staleness``
after the last such moment the cache knows nothing and every check goes to the database.

A read takes time, and what it found may have changed before it is stored. So every read is
announced (:meth:`SessionCache.reading`), and what is named in the meantime is not stored.
"""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from better_auth.models import Found

Kind = Literal["key", "session", "user"]
Name = tuple[Kind, str]
"""What changed: a session by its token key or its id, or a user by its id."""

now: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)
"""Seconds that never go back and, where the system tells, go on while it is suspended."""

_OVERHEAD = 2700
"""Bytes of an entry besides its values: records, their dictionaries, who holds it, what they are
answered, indexes."""


@dataclass(slots=True, eq=False)
class Reading:
    """One read on its way, and what has changed since it began."""

    changed: set[Name] = field(default_factory=set)
    is_void: bool = False


@dataclass(slots=True)
class CacheStatistics:
    """What the cache has done since it was made."""

    hits: int = 0
    misses: int = 0
    invalidations: int = 0
    stood_aside: int = 0
    """How often a check went to the database because the feed had not proven itself in time."""


class SessionCache:
    """Sessions with their users by token key, bounded in number and bytes, first in, first out."""

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int,
        max_staleness: float,
        now: Callable[[], float] = now,
    ) -> None:
        """``max_staleness`` in seconds; ``now`` answers seconds that never go back."""
        self.max_staleness = max_staleness
        self.statistics = CacheStatistics()
        self.now = now
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._good_until = float("-inf")
        self._entries: dict[str, Found] = {}
        self._sizes: dict[str, int] = {}
        self._bytes = 0
        self._key_of_session: dict[str, str] = {}
        self._keys_of_user: dict[str, set[str]] = {}
        self._readings: set[Reading] = set()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """About how many bytes the entries take."""
        return self._bytes

    @property
    def is_current(self) -> bool:
        """Whether what is stored may be believed now."""
        return self.now() <= self._good_until

    @property
    def staleness(self) -> float | None:
        """How many seconds ago what is stored was last proven to be true; None: it is not."""
        return self.now() - self._good_until + self.max_staleness if self.is_current else None

    def get(self, token_key: str) -> Found | None:
        """What is under ``token_key``; None: ask the database."""
        found = self._entries.get(token_key)
        if found is None:
            self.statistics.misses += 1
            return None
        if self.now() > self._good_until:
            self.statistics.stood_aside += 1
            return None
        self.statistics.hits += 1
        return found

    def reading(self) -> Reading:
        """Announce a read that begins now; it must be given to :meth:`store` or :meth:`drop`."""
        reading = Reading()
        self._readings.add(reading)
        return reading

    def drop(self, reading: Reading) -> None:
        """The read found nothing to store."""
        self._readings.discard(reading)

    def store(self, reading: Reading, token_key: str, found: Found) -> None:
        """Keep what ``reading`` found, unless it has changed since the read began."""
        self._readings.discard(reading)
        session, user = found.session, found.user
        names: set[Name] = {("key", token_key), ("session", session.id), ("user", user.id)}
        if reading.is_void or not reading.changed.isdisjoint(names):
            return
        if not self.is_current:
            return
        self._remove(token_key)
        size = _OVERHEAD + sum(
            sys.getsizeof(value) for record in (session, user) for value in record.__dict__.values()
        )
        while self._entries and (
            len(self._entries) >= self._max_entries or self._bytes + size > self._max_bytes
        ):
            self._remove(next(iter(self._entries)))
        if size > self._max_bytes:
            return
        self._entries[token_key] = found
        self._sizes[token_key] = size
        self._bytes += size
        self._key_of_session[session.id] = token_key
        self._keys_of_user.setdefault(user.id, set()).add(token_key)

    def forget(self, names: Iterable[Name]) -> None:
        """These have changed."""
        names = list(names)
        self.statistics.invalidations += len(names)
        for reading in self._readings:
            reading.changed.update(names)
        for kind, value in names:
            if kind == "key":
                self._remove(value)
            elif kind == "session":
                self._remove(self._key_of_session.get(value, ""))
            else:
                for key in list(self._keys_of_user.get(value, ())):
                    self._remove(key)

    def clear(self) -> None:
        """Anything may have changed."""
        self.statistics.invalidations += 1
        for reading in self._readings:
            reading.is_void = True
        self._entries.clear()
        self._sizes.clear()
        self._key_of_session.clear()
        self._keys_of_user.clear()
        self._bytes = 0

    def proven(self, moment: float) -> None:
        """Every change acknowledged before ``moment`` (of ``now``) has been named by now."""
        self._good_until = max(self._good_until, moment + self.max_staleness)

    def stand_aside(self) -> None:
        """The feed is interrupted: believe nothing until it has proven itself again."""
        self._good_until = float("-inf")
        self.clear()

    def _remove(self, token_key: str) -> None:
        found = self._entries.pop(token_key, None)
        if found is None:
            return
        session, user = found.session, found.user
        self._bytes -= self._sizes.pop(token_key)
        self._key_of_session.pop(session.id, None)
        keys = self._keys_of_user[user.id]
        keys.discard(token_key)
        if not keys:
            del self._keys_of_user[user.id]
