"""Who may do what in an organization, and the options that decide it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

from better_auth.errors import BadRequest, Forbidden
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import post
from better_auth.models import Principal, Session, User
from better_auth.plugins.access import AccessControl
from better_auth.plugins.base import Plugin
from better_auth.plugins.organization.mail import invitations_by_mail
from better_auth.plugins.organization.membership import Membership
from better_auth.plugins.organization.messages import (
    MemberPermissions,
    MemberWithUser,
    Permitted,
    Person,
    SendInvitation,
)
from better_auth.plugins.organization.records import (
    ActiveOrganization,
    Invitation,
    Member,
    Organization,
)
from better_auth.plugins.organization.roles import DEFAULT_ROLES, REFUSALS

DefaultOrganization: TypeAlias = Callable[[User], Awaitable[str | None]]
"""The id of the organization a new session of this user works in; None for none."""


class Standing(Plugin):
    """What members and invitations share: the options, and who may do what where."""

    def __init__(
        self,
        *,
        roles: AccessControl = DEFAULT_ROLES,
        allow_creating: bool = True,
        organization_limit: int | None = None,
        membership_limit: int = 100,
        invitation_limit: int = 100,
        invitation_lifetime: timedelta = timedelta(hours=48),
        require_verified_email: bool = False,
        send_invitation: SendInvitation | None = None,
        invitation_page: str = "/accept-invitation",
        default_organization: DefaultOrganization | None = None,
    ) -> None:
        self.roles = roles
        self.allow_creating = allow_creating
        self.organization_limit = organization_limit
        self.membership_limit = membership_limit
        self.invitation_limit = invitation_limit
        self.invitation_lifetime = invitation_lifetime
        self.require_verified_email = require_verified_email
        self.send_invitation = send_invitation
        self.invitation_page = invitation_page
        self.default_organization = default_organization

    def bind(self, context: Context) -> None:
        super().bind(context)
        if self.send_invitation is None:
            self.send_invitation = invitations_by_mail(context, self.invitation_page)
        self._membership = Membership(context, self.roles, self.membership_limit)
        context.users.farewells.append(self._membership.leave_all)

    async def _member(
        self, call: Call, organization_id: str | None, slug: str | None = None
    ) -> tuple[Principal, Member]:
        """The caller, and what they are in the organization named, or else the active one.

        Raises ``Unauthorized``, ``BadRequest`` without either, and ``Forbidden`` for whoever does
        not belong, whether or not there is such an organization.
        """
        caller = await call.require()
        if slug is not None and organization_id is None:
            found = await self.context.database.find_one(Organization, slug=slug)
            organization_id = found.id if found else ""
        if organization_id is None:
            organization_id = active_organization(caller.session)
        if organization_id is None:
            raise BadRequest("Name an organization or set one active", "NO_ACTIVE_ORGANIZATION")
        member = await self._membership.of(caller.user.id, organization_id)
        if member is None:
            raise not_a_member()
        return caller, member

    async def _allowed(
        self, call: Call, organization_id: str | None, resource: str, action: str
    ) -> tuple[Principal, Member]:
        """The same, whose role holds the permission. Raises ``Forbidden``, too."""
        caller, member = await self._member(call, organization_id)
        if not self.roles.allows(member.role, {resource: (action,)}):
            code = REFUSALS.get((resource, action), "NOT_ALLOWED")
            raise Forbidden("Your role does not allow this", code)
        return caller, member

    async def _organization(self, organization_id: str) -> Organization:
        found = await self.context.database.find_one(Organization, id=organization_id)
        if found is None:
            raise BadRequest("There is no such organization", "ORGANIZATION_NOT_FOUND")
        return found

    @post("/organization/has-permission", access="session", errors=(403,))
    async def has_permission(self, call: Call, body: MemberPermissions) -> Permitted:
        """Tell whether the caller's role in an organization allows something."""
        _, member = await self._member(call, body.organization_id)
        return Permitted(success=self.roles.allows(member.role, body.permissions))

    async def _activate(self, session: Session, organization_id: str | None) -> None:
        """Have ``session`` work there. Raises ``Forbidden`` where its user does not belong."""
        changes = {"active_organization_id": organization_id}
        await self.context.sessions.update(session, changes)
        if organization_id is None:
            return
        if await self._membership.of(session.user_id, organization_id) is None:
            await self._activate(session, None)  # removed in this very moment
            raise not_a_member()

    def _shown(self, own: Member, invitations: list[Invitation]) -> list[Invitation]:
        """Those of ``invitations`` that ``own`` may see: none to a role above theirs.

        Whoever knows an invitation's id and signs up with its address is let in by it, unless
        ``require_verified_email``.
        """
        return [i for i in invitations if self._membership.reaches(own, i.role)]

    async def _with_users(self, members: list[Member]) -> list[MemberWithUser]:
        users = await self._membership.users_of(members)
        return [with_user(m, users[m.user_id]) for m in members if m.user_id in users]


def active_organization(session: Session) -> str | None:
    """The id of the organization a session works in."""
    return session.active_organization_id if isinstance(session, ActiveOrganization) else None


def with_user(member: Member, user: User) -> MemberWithUser:
    """``member``, and who that is."""
    return MemberWithUser(**member.model_dump(), user=Person.of(user))


def not_a_member() -> Forbidden:
    """The same whether or not there is such an organization."""
    return Forbidden(
        "You are not a member of this organization", "USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION"
    )


def no_invitation() -> BadRequest:
    """It was never there, or is settled, or has expired."""
    return BadRequest("The invitation does not serve any longer", "INVITATION_NOT_FOUND")
