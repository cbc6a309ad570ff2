"""What was read remembered, for exactly as long as it is still true.

A database that can say in one step whether anybody has committed anything since (SQLite can,
other processes' changes included) need not be asked again for a row it gave before. Every read
still asks it that, so what is answered is what the database holds now: a session revoked anywhere
is gone with the very next read.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from better_auth.adapters.backend import Row

T = TypeVar("T")

REMEMBERED = 4096
"""Sessions kept at most, some 5 KB each with their users."""

REMEMBERED_LISTINGS = 256
"""Users whose sessions are kept at most."""

REMEMBERED_ROWS = 4096
"""Rows kept at most with their records, some 3 KB each, 6 KB with a user."""


class HotReads(Generic[T]):
    """One prepared read by key, and what it found lately.

    A ``T`` is shared by all who ask while nothing changes, so it must be immutable; where it is
    not, give no ``version``, and every call reads.
    """

    def __init__(
        self,
        read: Callable[[str], T | None],
        version: Callable[[], object] | None,
        remembered: int = REMEMBERED,
    ) -> None:
        self._read = read
        self._version = version
        self._remembered = remembered
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
            return self._read(key)
        version = self._version()
        if version != self._seen:
            self._found.clear()
            self._seen = version
        found = self._read(key)
        if found is None:
            return None
        if len(self._found) >= self._remembered:
            del self._found[next(iter(self._found))]
        self._found[key] = found  # at least as new as the version seen: it may only live shorter
        return found


class KnownRows(Generic[T]):
    """Records of rows just read: the same row is the same record as last time, with all that was
    noted in it since. Making it, opening its token and rendering it takes longer than the query.

    What was read says what there is; nothing here can be out of date. ``T`` must be immutable.
    """

    def __init__(self, make: Callable[[Row], T], id_at: int) -> None:
        """``id_at`` is where a row has its id."""
        self._make = make
        self._id_at = id_at
        self._known: dict[str, tuple[Row, T]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def record(self, row: Row) -> T:
        """The record of ``row``."""
        row_id = row[self._id_at]
        known = self._known.get(row_id)
        if known is not None and known[0] == row:
            return known[1]
        made = self._make(row)
        if known is None and len(self._known) >= REMEMBERED_ROWS:
            del self._known[next(iter(self._known))]
        self._known[row_id] = row, made
        return made
