"""What administration adds to users and sessions."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from better_auth.clock import UtcDatetime
from better_auth.models import Column, Fields, User


class AdminUserFields(Fields):
    """A user's role (or roles, separated by commas) and ban."""

    role: Annotated[str, Column(length=255)] = "user"
    banned: bool = False
    ban_reason: Annotated[str | None, Column(length=512)] = None
    ban_expires: UtcDatetime | None = None


class ImpersonationFields(Fields):
    """Who is behind an impersonated session, and with which session of their own they began it."""

    impersonated_by: Annotated[str | None, Column(length=64, index=True)] = None
    impersonated_from: Annotated[str | None, Column(length=64)] = Field(default=None, exclude=True)


def role_of(user: User) -> str:
    """The role (or roles) of a user."""
    return user.role if isinstance(user, AdminUserFields) else ""


def is_banned(user: User, now: datetime) -> bool:
    """Whether ``user`` is banned at ``now``."""
    if not isinstance(user, AdminUserFields) or not user.banned:
        return False
    return user.ban_expires is None or user.ban_expires > now
