"""What organizations store, and what they add to a session."""

from typing import Annotated, Any, ClassVar, Literal

from better_auth.clock import UtcDatetime
from better_auth.models import Column, Fields, Record

Status = Literal["pending", "accepted", "rejected", "canceled"]


class ActiveOrganization(Fields):
    """The organization a session works in."""

    active_organization_id: Annotated[str | None, Column(length=64, index=True)] = None


class Organization(Record):
    """A group of users; ``slug`` is its name in URLs."""

    table_name: ClassVar[str] = "organization"

    name: Annotated[str, Column(length=255)]
    slug: Annotated[str, Column(unique=True, length=255)]
    logo: Annotated[str | None, Column(length=2048)] = None
    metadata: dict[str, Any] | None = None
    created_at: UtcDatetime
    updated_at: UtcDatetime


class Member(Record):
    """A user in an organization, and their role (or roles, separated by commas) there."""

    table_name: ClassVar[str] = "member"
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("organization_id", "user_id"),)

    organization_id: Annotated[str, Column(length=64, references="organization")]
    user_id: Annotated[str, Column(index=True, length=64, references="user")]
    role: Annotated[str, Column(length=255)]
    created_at: UtcDatetime


class Invitation(Record):
    """An e-mail address that may join an organization, once, before ``expires_at``."""

    table_name: ClassVar[str] = "invitation"

    organization_id: Annotated[str, Column(index=True, length=64, references="organization")]
    email: Annotated[str, Column(index=True, length=320)]
    role: Annotated[str, Column(length=255)]
    status: Status = "pending"
    inviter_id: Annotated[str, Column(length=64, references="user")]
    created_at: UtcDatetime
    expires_at: Annotated[UtcDatetime, Column(index=True)]
