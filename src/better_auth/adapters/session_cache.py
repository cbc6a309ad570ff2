"""Sessions in memory, and users' lists of them, for no longer than they are certain to be true.

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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Literal, TypeVar

from pydantic import BaseModel

from better_auth.models import Found, Record, Session

Kind = Literal["key", "session", "user", "listing"]
Name = tuple[Kind, str]
"""What changed: a session by its token key or its id, a user by its id with all that is theirs, or
which sessions a user has, by the user's id."""

now: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)
"""Seconds that never go back and, where the system tells, go on while it is suspended."""

_OVERHEAD = 2700
"""Bytes of an entry besides its values: records, their dictionaries, who holds it, what they are
answered, indexes."""

_OVERHEAD_LISTED = 1200
"""The same of a listed session, its token and its JSON text included, which readers note in it."""


T = TypeVar("T")


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
    """Sessions with their users by token key, and users' listings; bounded together in number of
    sessions and in bytes, first in, first out."""

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
        self.shares = True
        """Whether all who ask for a session are given the same records; where these hold something
        that could be changed in place, each is given copies."""
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._good_until = float("-inf")
        self._entries: dict[str, Found] = {}
        self._listings: dict[str, Sequence[Session]] = {}
        self._owner_of_listed: dict[str, str] = {}
        self._sizes: dict[Name, int] = {}  # of entries by token key, and of listings; in order
        self._bytes = 0
        self._key_of_session: dict[str, str] = {}
        self._keys_of_user: dict[str, set[str]] = {}
        self._readings: set[Reading] = set()

    def __len__(self) -> int:
        return len(self._entries) + len(self._owner_of_listed)

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
        if found is None or self.now() > self._good_until:
            return self._believed(found)
        self.statistics.hits += 1
        return found if self.shares else found.copied()

    def listing(self, user_id: str) -> Sequence[Session] | None:
        """All sessions of a user, as :meth:`store_listing` was given them; None: ask the
        database."""
        return self._believed(self._listings.get(user_id))

    def _believed(self, found: T | None) -> T | None:
        if found is None:
            self.statistics.misses += 1
            return None
        if self.now() > self._good_until:
            self.statistics.stood_aside += 1
            return None
        self.statistics.hits += 1
        return found

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Announce a read that begins now; what it found may be stored until this is left."""
        reading = Reading()
        self._readings.add(reading)
        try:
            yield reading
        finally:
            self._readings.discard(reading)
            reading.is_void = True  # from now on nobody tells it

    def store(self, reading: Reading, token_key: str, found: Found) -> None:
        """Keep what ``reading`` found, unless it has changed since the read began."""
        session, user = found.session, found.user
        name: Name = ("key", token_key)
        names = {name, ("session", session.id), ("user", user.id)}
        if not self._holds(reading, names):
            return
        self._remove(token_key)
        # What it went by before its token was changed, which may not have been told yet.
        self._remove(self._key_of_session.get(session.id, ""))
        if self._takes(name, _OVERHEAD + _size(session) + _size(user), 1):
            self._entries[token_key] = found if self.shares else found.copied()
            self._key_of_session[session.id] = token_key
            self._keys_of_user.setdefault(user.id, set()).add(token_key)

    def store_listing(self, reading: Reading, user_id: str, sessions: Sequence[Session]) -> None:
        """Keep all sessions of a user, expired ones too, as ``reading`` found them.

        They are handed out as they are, so they must hold nothing that is changed in place.
        """
        name: Name = ("listing", user_id)
        ids = [session.id for session in sessions]
        names = {name, ("user", user_id), *(("session", one) for one in ids)}
        if not self._holds(reading, names):
            return
        for owner in {user_id, *(self._owner_of_listed.get(one, user_id) for one in ids)}:
            self._remove_listing(owner)  # whoever a session has come from, too
        size = sum(_OVERHEAD_LISTED + _size(session) for session in sessions)
        if sessions and self._takes(name, size, len(sessions)):
            self._listings[user_id] = sessions
            self._owner_of_listed.update(dict.fromkeys(ids, user_id))

    def _holds(self, reading: Reading, names: set[Name]) -> bool:
        """Whether what ``reading`` found, and goes by ``names``, is certain to be true still."""
        return self.is_current and not reading.is_void and reading.changed.isdisjoint(names)

    def _takes(self, name: Name, size: int, count: int) -> bool:
        """Make room for ``count`` sessions of ``size`` bytes; False: there can be none."""
        if size > self._max_bytes or count > self._max_entries:
            return False
        while len(self) + count > self._max_entries or self._bytes + size > self._max_bytes:
            kind, oldest = next(iter(self._sizes))
            (self._remove if kind == "key" else self._remove_listing)(oldest)
        self._sizes[name] = size
        self._bytes += size
        return True

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
                self._remove_listing(self._owner_of_listed.get(value, ""))
            else:
                self._remove_listing(value)
            if kind == "user":
                for key in list(self._keys_of_user.get(value, ())):
                    self._remove(key)

    def clear(self) -> None:
        """Anything may have changed."""
        self.statistics.invalidations += 1
        for reading in self._readings:
            reading.is_void = True
        self._entries.clear()
        self._listings.clear()
        self._owner_of_listed.clear()
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
        self._bytes -= self._sizes.pop(("key", token_key))
        self._key_of_session.pop(session.id, None)
        keys = self._keys_of_user[user.id]
        keys.discard(token_key)
        if not keys:
            del self._keys_of_user[user.id]

    def _remove_listing(self, user_id: str) -> None:
        for session in self._listings.pop(user_id, ()):
            self._owner_of_listed.pop(session.id, None)
        self._bytes -= self._sizes.pop(("listing", user_id), 0)


def _size(record: Record) -> int:
    """Bytes of a record's values."""
    return sum(map(_size_of, record.__dict__.values()))


_HOLDS_NOTHING = frozenset({str, int, float, bool, datetime, type(None)})


def _size_of(value: object) -> int:
    """Bytes of a value with all that it holds."""
    size = sys.getsizeof(value)
    if value.__class__ in _HOLDS_NOTHING:
        return size
    if isinstance(value, BaseModel):
        return size + _size_of(value.__dict__)
    if isinstance(value, dict):
        return size + sum(map(_size_of, chain(value, value.values())))
    return size + sum(map(_size_of, value)) if isinstance(value, (list, tuple, set)) else size
