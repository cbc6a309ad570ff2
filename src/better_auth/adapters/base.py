"""The one way in for data: typed verbs over records.

Conditions are keyword arguments by Python field name, a plain value meaning equality::

    await db.find(Session, user_id=user.id, expires_at=gt(now), order_by="-created_at")

Every writing verb says how many rows it changed (or returns the row it took), so that whoever
needs to know who won a race asks the statement itself and never reads before writing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from sqlalchemy import MetaData

from better_auth.adapters.layout import Layout
from better_auth.adapters.session_cache import SessionCache
from better_auth.models import Found, Record, Session

R = TypeVar("R", bound=Record)

Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "contains", "starts_with", "ends_with"]

NEWEST_FIRST = ("-created_at", "-id")
"""The order of what is listed; the id decides between rows of one moment."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison other than equality; made by the functions below."""

    operator: Operator
    value: Any


def eq(value: Any) -> Condition:
    """Rows whose field is ``value``; what a plain value means, where a condition is chosen."""
    return Condition("eq", value)


def ne(value: Any) -> Condition:
    """Rows whose field differs from ``value`` (``ne(None)``: is not null)."""
    return Condition("ne", value)


def lt(value: Any) -> Condition:
    """Rows whose field is less than ``value``."""
    return Condition("lt", value)


def le(value: Any) -> Condition:
    """Rows whose field is at most ``value``."""
    return Condition("le", value)


def gt(value: Any) -> Condition:
    """Rows whose field is greater than ``value``."""
    return Condition("gt", value)


def ge(value: Any) -> Condition:
    """Rows whose field is at least ``value``."""
    return Condition("ge", value)


def in_(values: Sequence[Any]) -> Condition:
    """Rows whose field is one of ``values`` (none, for an empty sequence)."""
    return Condition("in", list(values))


def contains(text: str) -> Condition:
    """Rows whose field holds ``text`` anywhere, wildcards taken literally, case ignored."""
    return Condition("contains", text)


def starts_with(text: str) -> Condition:
    """Rows whose field begins with ``text``, wildcards taken literally, case ignored."""
    return Condition("starts_with", text)


def ends_with(text: str) -> Condition:
    """Rows whose field ends with ``text``, wildcards taken literally, case ignored."""
    return Condition("ends_with", text)


class Verbs(Protocol):
    """What can be asked of the database, inside a transaction or by itself.

    All verbs raise ``DatabaseUnavailable`` when the database cannot be reached within its bounds,
    and ``insert`` and ``update`` raise ``UniqueViolation`` where a unique value is taken and
    ``ReferenceViolation`` where the row they refer to is gone.
    """

    async def insert(self, record: R) -> R:
        """Store ``record`` and return it."""
        ...

    async def find_one(self, model: type[R], **where: Any) -> R | None:
        """The row that meets ``where``, or None."""
        ...

    async def find(
        self,
        model: type[R],
        *,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
        offset: int = 0,
        **where: Any,
    ) -> list[R]:
        """All rows that meet ``where``; ``order_by`` names fields, ``-`` first for descending."""
        ...

    async def count(self, model: type[Record], **where: Any) -> int:
        """How many rows meet ``where``."""
        ...

    async def update(self, model: type[Record], values: Mapping[str, Any], /, **where: Any) -> int:
        """Write ``values`` into the rows that meet ``where``; the number of rows changed."""
        ...

    async def delete(self, model: type[Record], **where: Any) -> int:
        """Delete the rows that meet ``where``; the number of rows gone."""
        ...

    async def take(self, model: type[R], *, limit: int | None = None, **where: Any) -> list[R]:
        """Delete the rows that meet ``where`` and return them, as one atomic step.

        Of any number of callers that take the same row at once, exactly one receives it.
        ``limit`` bounds how many rows go in this call.
        """
        ...

    async def lock(self, model: type[Record], record_id: str) -> bool:
        """Hold the row until the transaction ends, so that others who lock it wait.

        False when there is no such row. Only useful inside :meth:`DatabaseAdapter.transaction`.
        """
        ...


@runtime_checkable
class DatabaseAdapter(Verbs, Protocol):
    """A database behind the library."""

    metadata: MetaData
    """The tables of the records that were bound."""
    on_change: Callable[[], None]
    """Called when the database tells of a change, where it does."""
    remembers: bool
    """Whether :meth:`at_hand` ever answers, now that it is connected."""
    on_wait: Callable[[str, float], None]
    """Told the pool (``reading``, ``writing``) and the seconds it took until a connection of it
    could be used; what needs none is not told."""

    @property
    def cache(self) -> SessionCache | None:
        """The sessions in memory, if there are to be any."""
        ...

    def bind(self, models: Sequence[type[Record]], layout: Layout = Layout()) -> None:
        """Learn the application's records (plugins' and the user's own fields included), and how
        they lie in the database.

        Called once, when ``BetterAuth`` is built. A base record and the subclass that extends it
        name the same table, and whichever of the two a verb is given, rows come back as the
        most derived. Raises ``ConfigurationError`` for a layout that does not fit the records.
        """
        ...

    def enable_cache(self, cache: SessionCache, listen_url: str | None = None) -> None:
        """Keep sessions in ``cache`` and it right.

        ``listen_url`` is where notifications come from, if not from the database's own URL.
        Raises ``ConfigurationError`` where the database cannot tell what changes.
        """
        ...

    async def connect(self) -> None:
        """Open what is needed to serve; safe to call twice."""
        ...

    async def close(self) -> None:
        """Release everything."""
        ...

    async def migrate(self) -> list[str]:
        """Create or extend the tables; returns the SQL statements it ran (none: up to date)."""
        ...

    async def pending_migration(self) -> list[str]:
        """The SQL statements :meth:`migrate` would run now."""
        ...

    def at_hand(self, token_key: str) -> Found | None:
        """What :meth:`session_with_user` would answer, where that is known without asking.

        None says nothing: ask. An adapter that keeps nothing in memory always answers None.
        """
        ...

    async def session_with_user(self, token_key: str) -> Found | None:
        """The hot read: the session found by its key, together with its user, in one query."""
        ...

    async def live_sessions(self, user_id: str, now: datetime) -> list[Session]:
        """The user's sessions that have not ended by ``now``, newest first."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Verbs]:
        """Verbs that happen together or not at all."""
        ...
