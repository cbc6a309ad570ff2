"""What a driver raises, as the library's own errors and without the driver's text."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa

from better_auth.adapters.backend import Backend
from better_auth.errors import (
    AuthError,
    BadRequest,
    DatabaseUnavailable,
    ReferenceViolation,
    UniqueViolation,
)

logger = logging.getLogger("better_auth.database")

Verb = TypeVar("Verb", bound=Callable[..., Awaitable[Any]])

ATTEMPTS = 5
"""How often a change is tried that met others in a deadlock."""


class Deadlocked(DatabaseUnavailable):
    """503: two changes waited for each other, and this one was undone by the database."""


def again_after_deadlock(verb: Verb) -> Verb:
    """``verb`` of an adapter, tried again where the database undid it for a deadlock.

    Not within a transaction, all of which was undone then (``is_alone`` says whether it is).
    """

    @wraps(verb)
    async def tried(self: Any, *arguments: Any, **options: Any) -> Any:
        for _ in range(ATTEMPTS - 1 if self.is_alone else 0):
            try:
                return await verb(self, *arguments, **options)
            except Deadlocked:
                continue
        return await verb(self, *arguments, **options)

    return tried  # type: ignore[return-value]


@asynccontextmanager
async def translated_errors(backend: Backend, *, patient: bool = False) -> AsyncIterator[None]:
    """Turns what a driver raises, or its silence, into the library's own errors, without the
    driver's text. ``patient``: take any time."""
    limit = None if patient or backend.patience is None else 3 * backend.patience
    try:
        async with asyncio.timeout(limit):
            yield
    except Exception as error:
        raise_translated(error, backend)


def raise_translated(error: Exception, backend: Backend) -> NoReturn:
    """Raise the library's own error for what a driver raised; anything else as it is."""
    known = _translation(error, backend)
    if known is None:
        raise error
    raise known from error


def _translation(error: Exception, backend: Backend) -> Exception | None:
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, AuthError):  # a value refused on its way, as SQLAlchemy wraps it
        return cause if cause is not error else None
    if isinstance(cause, (OverflowError, UnicodeEncodeError)):
        return _bad_value()
    if _is_integrity(error, cause):
        return ReferenceViolation() if _is_reference(cause) else UniqueViolation()
    if not isinstance(error, (*_UNAVAILABLE, *backend.errors)):
        return None
    if _is_deadlock(cause):
        return Deadlocked()
    if _is_bad_value(cause):
        return _bad_value()
    logger.error("database unavailable: %s", said(cause))
    return DatabaseUnavailable()


def _bad_value() -> BadRequest:
    return BadRequest("A value is too long or holds what cannot be stored")


def said(error: BaseException) -> str:
    """What a driver says, in one line: what PostgreSQL adds are details, which may be of rows, and
    hints to whoever wrote the statement."""
    line, _, _ = str(error).partition("\n")
    return f"{type(error).__name__}: {line or 'no answer in time'}"


def _is_integrity(error: Exception, cause: object) -> bool:
    """Whether the database refused a row for what others are there; SQLSTATE class 23, past
    SQLAlchemy."""
    if isinstance(error, sa.exc.IntegrityError) or isinstance(cause, sqlite3.IntegrityError):
        return True
    return (getattr(cause, "sqlstate", None) or "").startswith("23")


def _is_reference(error: object) -> bool:
    """Whether what a row refers to is not there; by code, for messages may quote the row."""
    number = next(iter(getattr(error, "args", ())), None)
    return (
        getattr(error, "sqlstate", None) == "23503"
        or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
        or number in (1216, 1217, 1451, 1452)
    )


_UNAVAILABLE = (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError)


def is_unknown_column(error: Exception) -> bool:
    """Whether the database knows no such column, or not on what is asked for it; SQLSTATE."""
    return getattr(error, "sqlstate", None) in ("42703", "0A000")


def _is_deadlock(error: object) -> bool:
    """SQLSTATE class 40 (PostgreSQL), or MySQL's number for a deadlock."""
    state = getattr(error, "sqlstate", None) or ""
    number = next(iter(getattr(error, "args", ())), None)
    return state.startswith("40") or number == 1213


def _is_bad_value(error: object) -> bool:
    """Whether the database refused a value for what it is: SQLSTATE class 22, and MySQL's numbers
    for what is too long, out of range or no text."""
    state = getattr(error, "sqlstate", None) or ""
    number = next(iter(getattr(error, "args", ())), None)
    return state.startswith("22") or number in (1264, 1366, 1406)
