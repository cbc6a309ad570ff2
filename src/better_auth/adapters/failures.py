"""What a driver raises, as the library's own errors and without the driver's text."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import sqlalchemy as sa

from better_auth.adapters.backend import Backend
from better_auth.errors import (
    BadRequest,
    DatabaseUnavailable,
    ReferenceViolation,
    UniqueViolation,
)

logger = logging.getLogger("better_auth.database")


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
    if isinstance(error, sa.exc.IntegrityError) or isinstance(cause, sqlite3.IntegrityError):
        is_reference = "foreign key" in str(cause).lower()
        return ReferenceViolation() if is_reference else UniqueViolation()
    if not isinstance(error, (*_UNAVAILABLE, *backend.errors)):
        return None
    if _is_bad_value(cause):
        return BadRequest("A value is too long or holds what cannot be stored")
    logger.error("database unavailable: %s: %s", type(cause).__name__, cause)
    return DatabaseUnavailable()


_UNAVAILABLE = (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError)


def _is_bad_value(error: object) -> bool:
    """Whether the database refused a value for what it is: SQLSTATE class 22, and MySQL's numbers
    for what is too long, out of range or no text."""
    state = getattr(error, "sqlstate", None) or ""
    number = next(iter(getattr(error, "args", ())), None)
    return state.startswith("22") or number in (1264, 1366, 1406)
