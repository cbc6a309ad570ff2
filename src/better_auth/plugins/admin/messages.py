"""What the admin endpoints take and answer."""

from typing import Literal

from pydantic import Field

from better_auth.http.body import Input
from better_auth.models import Fields, Session, User
from better_auth.plugins.access import RoleNames

Id = Field(min_length=1, max_length=64)


class UserId(Input):
    """Which user."""

    user_id: str = Id


class UserIdQuery(Input):
    """Which user."""

    id: str = Id


class NewUser(Input):
    """A user to create; without a password they cannot sign in with one."""

    name: str = Field(min_length=1, max_length=255)
    email: str = Field(min_length=1, max_length=320)
    password: str | None = Field(default=None, repr=False, json_schema_extra={"format": "password"})
    role: RoleNames | None = None


class UserChanges(Input):
    """What an admin may change; what is left out stays."""

    name: str | None = Field(default=None, min_length=1, max_length=255)
    email: str | None = Field(default=None, min_length=1, max_length=320)
    email_verified: bool | None = None
    image: str | None = Field(default=None, max_length=2048)


class UserUpdate(UserId):
    """Which user, and what becomes of them."""

    data: UserChanges


class SetRole(UserId):
    """Which user, and their new role (several are separated by commas)."""

    role: RoleNames


class SetPassword(UserId):
    """Which user, and their new password."""

    new_password: str = Field(repr=False, json_schema_extra={"format": "password"})


class Ban(UserId):
    """Which user; ``banReason`` is shown to them, ``banExpiresIn`` is in seconds (null: never)."""

    ban_reason: str | None = Field(default=None, max_length=512)
    ban_expires_in: int | None = Field(default=None, ge=1, le=100 * 366 * 24 * 3600)


class SessionToRevoke(Input):
    """Which session: its id, or the handle a listing shows as its token."""

    id: str | None = Field(default=None, max_length=64)
    session_token: str | None = Field(default=None, max_length=512)


class Permissions(Input):
    """What the caller would like to do: actions by resource."""

    permissions: dict[str, list[str]]


class Find(Input):
    """Which users, in which order, and which page of them."""

    search_value: str | None = Field(default=None, max_length=320)
    search_field: Literal["email", "name"] = "email"
    search_operator: Literal["contains", "starts_with", "ends_with"] = "contains"
    filter_field: Literal["role", "banned", "emailVerified", "email", "name", "id"] | None = None
    filter_value: str | None = Field(default=None, max_length=320)
    filter_operator: Literal["eq", "ne"] = "eq"
    sort_by: Literal["createdAt", "updatedAt", "email", "name", "role"] = "createdAt"
    sort_direction: Literal["asc", "desc"] = "asc"
    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0, le=2**53)


class UserResult(Fields):
    """The user as they are now."""

    user: User


class UserPage(Fields):
    """One page of users; ``total`` counts all that were meant."""

    users: list[User]
    total: int
    limit: int
    offset: int


class SessionPage(Fields):
    """A user's live sessions, newest first; the tokens are handles that open nothing."""

    sessions: list[Session]


class Ended(Fields):
    """It was done; ``count`` live sessions were ended by it."""

    success: bool
    count: int


class Allowed(Fields):
    """Whether the caller may do all of it."""

    success: bool


class Permitted(Allowed):
    """Whether the caller may do all of it."""

    error: None = None


class Done(Fields):
    """It was done."""

    status: bool = True


class Impersonation(Fields):
    """The session one is in now, and its user; null where the admin's own session is over."""

    session: Session | None
    user: User | None
