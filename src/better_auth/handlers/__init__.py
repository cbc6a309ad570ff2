"""The current session in your framework's handlers; the names here are FastAPI's.

For Starlette by itself: ``better_auth.handlers.starlette``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from better_auth.handlers.fastapi import (
        CurrentSession,
        OptionalSession,
        closing_on_revocation,
        current_session,
        mount_auth,
        optional_session,
    )

__all__ = [
    "CurrentSession",
    "OptionalSession",
    "closing_on_revocation",
    "current_session",
    "mount_auth",
    "optional_session",
]


def __getattr__(name: str) -> Any:
    """FastAPI is imported when one of its names is asked for, so that Starlette does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from better_auth.handlers import fastapi  # an optional extra

    return getattr(fastapi, name)
