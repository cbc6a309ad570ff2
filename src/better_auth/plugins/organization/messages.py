"""What the organization endpoints take and answer."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from better_auth.http.body import Input
from better_auth.models import Fields, User
from better_auth.plugins.access import RoleNames
from better_auth.plugins.organization.records import Invitation, Member, Organization

_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(repr(value)) > 16_384:
        raise ValueError("is too large")
    return value


Id = Annotated[str, Field(min_length=1, max_length=64)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Slug = Annotated[str, Field(max_length=255, pattern=_SLUG)]
Logo = Annotated[str, Field(max_length=2048)]
Metadata = Annotated[dict[str, Any], AfterValidator(_small)]


class NewOrganization(Input):
    """An organization to be; whoever creates it owns it, and works in it from then on."""

    name: Name
    slug: Slug
    logo: Logo | None = None
    metadata: Metadata | None = None
    keep_current_active_organization: bool = False


class SlugOnly(Input):
    """A slug somebody would like."""

    slug: Slug


class Changes(Input):
    """What is to change; what is left out stays."""

    name: Name | None = None
    slug: Slug | None = None
    logo: Logo | None = None
    metadata: Metadata | None = None


class OrganizationUpdate(Input):
    """Which organization (null: the active one), and what becomes of it."""

    organization_id: Id | None = None
    data: Changes


class OrganizationId(Input):
    """Which organization."""

    organization_id: Id


class Which(Input):
    """Which organization, by id or slug; left out: the active one."""

    organization_id: Id | None = None
    organization_slug: Slug | None = None


class WhichRole(Which):
    """Which organization, and whose role there; left out: the caller's."""

    user_id: Id | None = None


class WhichPage(Which):
    """Which organization, and which page of its members."""

    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0, le=2**53)


class SetActive(Input):
    """Which organization this session works in; ``organizationId`` null: in none."""

    organization_id: Id | None = None
    organization_slug: Slug | None = None


class MemberRole(Input):
    """Which member, and their new role."""

    member_id: Id
    role: RoleNames
    organization_id: Id | None = None


class MemberToRemove(Input):
    """Which member, by id or e-mail address."""

    member_id_or_email: str = Field(min_length=1, max_length=320)
    organization_id: Id | None = None


class Invite(Input):
    """Who is invited, and as what; ``resend`` renews an invitation that is pending."""

    email: str = Field(min_length=1, max_length=320)
    role: RoleNames = "member"
    organization_id: Id | None = None
    resend: bool = False


class InvitationId(Input):
    """Which invitation."""

    invitation_id: Id


class InvitationQuery(Input):
    """Which invitation."""

    id: Id


class MemberPermissions(Input):
    """What the caller would like to do there: actions by resource."""

    permissions: dict[str, list[str]]
    organization_id: Id | None = None


class Person(Fields):
    """What members see of each other."""

    id: str
    name: str
    email: str
    image: str | None

    @classmethod
    def of(cls, user: User) -> "Person":
        """The part of ``user`` that members see."""
        return cls(id=user.id, name=user.name, email=user.email, image=user.image)


class MemberWithUser(Member):
    """A member, and who that is."""

    user: Person


class FullOrganization(Organization):
    """An organization with its members, and its pending invitations for those who may invite."""

    members: list[MemberWithUser]
    invitations: list[Invitation]


class MemberPage(Fields):
    """One page of members, the oldest first; ``total`` counts all."""

    members: list[MemberWithUser]
    total: int


class MemberResult(Fields):
    """The member it was about."""

    member: MemberWithUser


class Answered(Fields):
    """The invitation, and who became a member by it."""

    invitation: Invitation
    member: Member | None


class InvitationDetails(Invitation):
    """An invitation, as the invited sees it."""

    organization_name: str
    organization_slug: str
    inviter_email: str


class InvitationTo(Invitation):
    """An invitation, and what to."""

    organization_name: str


class Available(Fields):
    """The slug is free."""

    status: Literal[True]


class Permitted(Fields):
    """Whether the caller may do all of it."""

    success: bool
    error: None = None


class RoleOf(Fields):
    """The role (or roles) of a member."""

    role: str


SendInvitation: TypeAlias = Callable[[Invitation, Organization, User], Awaitable[None]]
"""Delivers an invitation to its e-mail address; the last argument is who invites."""
