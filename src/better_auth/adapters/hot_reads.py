"""The hot read remembered, for exactly as long as it is still true.

A database that can say in one step whether anybody has committed anything since (SQLite can,
other processes' changes included) need not be asked again for a row it gave before. Every read
still asks it that, so what is answered is what the database holds now: a session revoked anywhere
is gone with the very next read.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from better_auth.adapters.backend import HotRead, Row

T = TypeVar("T")

REMEMBERED = 4096
"""Rows kept at most, some 5 KB each."""


class HotReads(Generic[T]):
    """One prepared read by key, made into a ``T``, and what it found lately.

    A ``T`` is shared by all who ask while nothing changes, so it must be immutable; where it is
    not, give no ``version``, and every call reads.
    """

    def __init__(
        self, read: HotRead, make: Callable[[Row], T], version: Callable[[], object] | None
    ) -> None:
        self._read = read
        self._make = make
        self._version = version
        self._seen: object = None
        self._found: dict[str, T] = {}

    def at_hand(self, key: str) -> T | None:
        """What is under ``key`` now, if it was found before and nothing was committed since.

        Raises ``DatabaseBusy`` and what the driver raises.
        """
        found = self._found.get(key)
        if found is not None and self._version is not None and self._version() == self._seen:
            return found
        return None

    def get(self, key: str) -> T | None:
        """What is under ``key`` now. Raises ``DatabaseBusy`` and what the driver raises."""
        if self._version is None:
            row = self._read(key)
            return None if row is None else self._make(row)
        version = self._version()
        if version != self._seen:
            self._found.clear()
            self._seen = version
        row = self._read(key)
        if row is None:
            return None
        found = self._make(row)
        if len(self._found) >= REMEMBERED:
            del self._found[next(iter(self._found))]
        self._found[key] = found  # at least as new as the version seen: it may only live shorter
        return found
