"""Organizations: members, roles, invitations, and the one a session works in."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeAlias

from better_auth.adapters.base import gt, in_
from better_auth.errors import BadRequest, Forbidden, UniqueViolation
from better_auth.events import SessionCreating, UserDeleted, UserDeleting, on
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import get, post
from better_auth.models import Principal, Session, User
from better_auth.plugins.access import AccessControl
from better_auth.plugins.base import Plugin
from better_auth.plugins.organization.mail import invitations_by_mail
from better_auth.plugins.organization.membership import Membership, already_a_member, slug_taken
from better_auth.plugins.organization.messages import (
    Answered,
    Available,
    FullOrganization,
    InvitationDetails,
    InvitationId,
    InvitationQuery,
    InvitationTo,
    Invite,
    MemberPage,
    MemberPermissions,
    MemberResult,
    MemberRole,
    MemberToRemove,
    MemberWithUser,
    NewOrganization,
    OrganizationId,
    OrganizationUpdate,
    Permitted,
    Person,
    RoleOf,
    SendInvitation,
    SetActive,
    SlugOnly,
    Which,
    WhichPage,
    WhichRole,
)
from better_auth.plugins.organization.records import (
    ActiveOrganization,
    Invitation,
    Member,
    Organization,
)
from better_auth.plugins.organization.roles import DEFAULT_ROLES, REFUSALS
from better_auth.users import normalize_email

DefaultOrganization: TypeAlias = Callable[[User], Awaitable[str | None]]
"""The id of the organization a new session of this user works in; None for none."""


class OrganizationPlugin(Plugin):
    """Organizations with members, roles and invitations.

    ``roles`` is the access control inside an organization. ``allow_creating`` lets every user
    create organizations, ``organization_limit`` as many as that (None: any number),
    ``membership_limit`` bounds the members of one, ``invitation_limit`` its pending invitations,
    which last ``invitation_lifetime``. ``require_verified_email``: only who has proven the
    invited address may accept. ``send_invitation`` delivers invitations; without it they go by
    ``BetterAuth(mail=...)``, with a link to ``base_url`` + ``invitation_page`` + ``/{id}``.
    ``default_organization`` chooses what a new session works in.
    """

    name = "Organizations"
    records = (Organization, Member, Invitation)
    session_fields = ActiveOrganization

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
        self._left_empty: dict[str, list[str]] = {}

    def bind(self, context: Context) -> None:
        super().bind(context)
        if self.send_invitation is None:
            self.send_invitation = invitations_by_mail(context, self.invitation_page)
        self._membership = Membership(context, self.roles, self.membership_limit)

    # Who may

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

    # Organizations

    @post("/organization/create", access="session", errors=(400, 403))
    async def create(self, call: Call, body: NewOrganization) -> FullOrganization:
        """Create an organization, own it, and work in it."""
        caller = await call.require()
        if not self.allow_creating:
            raise Forbidden(
                "Creating organizations is not allowed",
                "YOU_ARE_NOT_ALLOWED_TO_CREATE_A_NEW_ORGANIZATION",
            )
        limit = self.organization_limit
        if limit is not None:
            there = await self.context.database.count(Member, user_id=caller.user.id)
            if there >= limit:
                raise Forbidden(
                    "You have as many organizations as you may",
                    "YOU_HAVE_REACHED_THE_MAXIMUM_NUMBER_OF_ORGANIZATIONS",
                )
        now = self.context.clock()
        organization = Organization(
            name=body.name,
            slug=body.slug,
            logo=body.logo,
            metadata=body.metadata,
            created_at=now,
            updated_at=now,
        )
        owner = await self._membership.create(organization, caller.user.id)
        if not body.keep_current_active_organization:
            await self._activate(caller.session, organization.id)
        return FullOrganization(
            **organization.model_dump(),
            members=[_with_user(owner, caller.user)],
            invitations=[],
        )

    @post("/organization/check-slug", access="session", errors=(400,))
    async def check_slug(self, call: Call, body: SlugOnly) -> Available:
        """Tell whether a slug is free."""
        await call.require()
        if await self.context.database.find_one(Organization, slug=body.slug):
            raise slug_taken()
        return Available(status=True)

    @post("/organization/update", access="session", errors=(400, 403))
    async def update(self, call: Call, body: OrganizationUpdate) -> Organization:
        """Change an organization's name, slug, logo or metadata."""
        _, own = await self._allowed(call, body.organization_id, "organization", "update")
        changes: dict[str, Any] = body.data.model_dump(exclude_unset=True)
        if not changes:
            raise BadRequest("data: nothing to change", "NOTHING_TO_CHANGE")
        for name in ("name", "slug"):
            if name in changes and changes[name] is None:
                raise BadRequest(f"data.{name}: must not be null", "VALIDATION_ERROR")
        changes["updated_at"] = self.context.clock()
        try:
            await self.context.database.update(Organization, changes, id=own.organization_id)
        except UniqueViolation:
            raise slug_taken() from None
        return await self._organization(own.organization_id)

    @post("/organization/delete", access="session", errors=(400, 403))
    async def delete(self, call: Call, body: OrganizationId) -> Organization:
        """Delete an organization; no session works in it any longer."""
        _, own = await self._allowed(call, body.organization_id, "organization", "delete")
        organization = await self._organization(own.organization_id)
        await self._membership.delete(organization.id)
        return organization

    @get("/organization/list", access="session")
    async def list_organizations(self, call: Call) -> list[Organization]:
        """List the organizations the caller belongs to, by name."""
        caller = await call.require()
        members = await self.context.database.find(Member, user_id=caller.user.id)
        where: dict[str, Any] = {"id": in_([member.organization_id for member in members])}
        return await self.context.database.find(Organization, order_by=("name", "id"), **where)

    @get("/organization/get-organization", access="session", errors=(403,))
    async def get_organization(self, call: Call, query: Which) -> Organization | None:
        """Get an organization; null where none is named or active."""
        own = await self._named(call, query)
        return None if own is None else await self._organization(own.organization_id)

    async def _named(self, call: Call, query: Which) -> Member | None:
        """What the caller is there; None where nothing is named and nothing active."""
        caller = await call.require()
        if query.organization_id or query.organization_slug or active_organization(caller.session):
            return (await self._member(call, query.organization_id, query.organization_slug))[1]
        return None

    @get("/organization/get-full-organization", access="session", errors=(403,))
    async def get_full_organization(self, call: Call, query: Which) -> FullOrganization | None:
        """Get an organization with its members and, for who may invite, pending invitations.

        Null where none is named or active.
        """
        own = await self._named(call, query)
        if own is None:
            return None
        organization = await self._organization(own.organization_id)
        members = await self.context.database.find(
            Member, organization_id=organization.id, order_by=("created_at", "id")
        )
        invitations = []
        if self.roles.allows(own.role, {"invitation": ("create",)}):
            invitations = await self._pending(organization.id)
        return FullOrganization(
            **organization.model_dump(),
            members=await self._with_users(members),
            invitations=invitations,
        )

    # The active one

    @post("/organization/set-active", access="session", errors=(403,))
    async def set_active(self, call: Call, body: SetActive) -> Organization | None:
        """Work in an organization with this session alone; null: in none."""
        if body.organization_id is None and body.organization_slug is None:
            caller = await call.require()
            await self._activate(caller.session, None)
            return None
        caller, own = await self._member(call, body.organization_id, body.organization_slug)
        await self._activate(caller.session, own.organization_id)
        if await self._membership.of(caller.user.id, own.organization_id) is None:
            await self._activate(caller.session, None)  # removed in this very moment
            raise not_a_member()
        return await self._organization(own.organization_id)

    async def _activate(self, session: Session, organization_id: str | None) -> None:
        changes = {"active_organization_id": organization_id}
        await self.context.sessions.update(session, changes)

    @on(SessionCreating)
    async def begin_in_default(self, event: SessionCreating) -> None:
        """A new session works where the application says, if its user belongs there."""
        if self.default_organization is None or active_organization(event.session):
            return
        organization_id = await self.default_organization(event.user)
        if organization_id and await self._membership.of(event.user.id, organization_id):
            event.session = event.session.revised(active_organization_id=organization_id)

    # Members

    @get("/organization/list-members", access="session", errors=(403,))
    async def list_members(self, call: Call, query: WhichPage) -> MemberPage:
        """List an organization's members."""
        _, own = await self._member(call, query.organization_id, query.organization_slug)
        where: dict[str, Any] = {"organization_id": own.organization_id}
        members = await self.context.database.find(
            Member,
            order_by=("created_at", "id"),
            limit=query.limit,
            offset=query.offset,
            **where,
        )
        total = await self.context.database.count(Member, **where)
        return MemberPage(members=await self._with_users(members), total=total)

    @get("/organization/get-active-member", access="session", errors=(400, 403))
    async def get_active_member(self, call: Call) -> MemberWithUser:
        """Get what the caller is in the active organization."""
        caller, own = await self._member(call, None)
        return _with_user(own, caller.user)

    @get("/organization/get-active-member-role", access="session", errors=(400, 403))
    async def get_active_member_role(self, call: Call, query: WhichRole) -> RoleOf:
        """Get a member's role."""
        _, own = await self._member(call, query.organization_id, query.organization_slug)
        if query.user_id is None:
            return RoleOf(role=own.role)
        member = await self._membership.of(query.user_id, own.organization_id)
        if member is None:
            raise not_a_member()
        return RoleOf(role=member.role)

    async def add_member(self, organization_id: str, user_id: str, role: str = "member") -> Member:
        """Make a user a member without an invitation. For the application's own code: no endpoint.

        Raises ``BadRequest`` (is one already) and ``Forbidden`` (limit).
        """
        return await self._membership.add(organization_id, user_id, self.roles.checked(role))

    @post("/organization/update-member-role", access="session", errors=(400, 403))
    async def update_member_role(self, call: Call, body: MemberRole) -> Member:
        """Give a member another role, up to one's own."""
        _, own = await self._allowed(call, body.organization_id, "member", "update")
        member = await self._other(own, id=body.member_id)
        role = self.roles.checked(body.role)
        code = REFUSALS["member", "update"]
        self._membership.refuse_more_than(own, member.role, role, code=code)
        return await self._membership.change_role(member, role)

    @post("/organization/remove-member", access="session", errors=(400, 403))
    async def remove_member(self, call: Call, body: MemberToRemove) -> MemberResult:
        """Put a member out; their sessions work there no longer."""
        _, own = await self._allowed(call, body.organization_id, "member", "remove")
        where = {"id": body.member_id_or_email}
        if "@" in body.member_id_or_email:
            user = await self.context.users.find_by_email(normalize_email(body.member_id_or_email))
            where = {"user_id": user.id if user else ""}
        member = await self._other(own, **where)
        self._membership.refuse_more_than(own, member.role, code=REFUSALS["member", "remove"])
        person = await self.context.users.find(member.user_id)
        await self._membership.remove(member)
        if person is None:
            raise not_a_member()  # deleted in this very moment, and the membership with them
        return MemberResult(member=_with_user(member, person))

    @post("/organization/leave", access="session", errors=(403,))
    async def leave(self, call: Call, body: OrganizationId) -> MemberWithUser:
        """Leave an organization; the last owner cannot."""
        caller, own = await self._member(call, body.organization_id)
        await self._membership.remove(own)
        return _with_user(own, caller.user)

    async def _other(self, own: Member, **where: Any) -> Member:
        where["organization_id"] = own.organization_id
        member = await self.context.database.find_one(Member, **where)
        if member is None:
            raise BadRequest("There is no such member", "MEMBER_NOT_FOUND")
        return member

    # Invitations

    @post("/organization/invite-member", access="session", errors=(400, 403))
    async def invite_member(self, call: Call, body: Invite) -> Invitation:
        """Invite an e-mail address, with a role up to one's own."""
        caller, own = await self._allowed(call, body.organization_id, "invitation", "create")
        role = self.roles.checked(body.role)
        code = "YOU_ARE_NOT_ALLOWED_TO_INVITE_USER_WITH_THIS_ROLE"
        self._membership.refuse_more_than(own, role, code=code)
        email = normalize_email(body.email)
        user = await self.context.users.find_by_email(email)
        if user and await self._membership.of(user.id, own.organization_id):
            raise already_a_member()
        pending = await self._pending(own.organization_id)
        before = [invitation for invitation in pending if invitation.email == email]
        if before and not body.resend:
            raise BadRequest("Is invited already", "USER_IS_ALREADY_INVITED_TO_THIS_ORGANIZATION")
        if not before and len(pending) >= self.invitation_limit:
            raise Forbidden(
                "There are as many invitations as there may be", "INVITATION_LIMIT_REACHED"
            )
        now = self.context.clock()
        invitation = Invitation(
            organization_id=own.organization_id,
            email=email,
            role=role,
            inviter_id=caller.user.id,
            created_at=now,
            expires_at=now + self.invitation_lifetime,
        )
        async with self.context.database.transaction() as verbs:
            for old in before:
                await verbs.update(Invitation, {"status": "canceled"}, id=old.id, status="pending")
            await verbs.insert(invitation)
        if self.send_invitation is not None:
            organization = await self._organization(own.organization_id)
            await self.send_invitation(invitation, organization, caller.user)
        return invitation

    @post("/organization/accept-invitation", access="session", errors=(400, 403))
    async def accept_invitation(self, call: Call, body: InvitationId) -> Answered:
        """Become a member by an invitation to one's own e-mail address, and work there."""
        caller, invitation = await self._invited(call, body.invitation_id)
        member = await self._membership.accept(invitation, caller.user)
        if member is None:
            raise _no_invitation()
        await self._activate(caller.session, member.organization_id)
        return Answered(invitation=invitation.revised(status="accepted"), member=member)

    @post("/organization/reject-invitation", access="session", errors=(400, 403))
    async def reject_invitation(self, call: Call, body: InvitationId) -> Answered:
        """Turn an invitation to one's own e-mail address down."""
        _, invitation = await self._invited(call, body.invitation_id)
        await self._settle(invitation, "rejected")
        return Answered(invitation=invitation.revised(status="rejected"), member=None)

    @post("/organization/cancel-invitation", access="session", errors=(400, 403))
    async def cancel_invitation(self, call: Call, body: InvitationId) -> Invitation:
        """Take an invitation back."""
        await call.require()
        found = await self.context.database.find_one(Invitation, id=body.invitation_id)
        if found is None:
            raise _no_invitation()
        await self._allowed(call, found.organization_id, "invitation", "cancel")
        await self._settle(found, "canceled")
        return found.revised(status="canceled")

    @get("/organization/get-invitation", access="session", errors=(400, 403))
    async def get_invitation(self, call: Call, query: InvitationQuery) -> InvitationDetails:
        """Get an invitation to one's own e-mail address."""
        _, invitation = await self._invited(call, query.id)
        organization = await self._organization(invitation.organization_id)
        inviter = await self.context.users.find(invitation.inviter_id)
        return InvitationDetails(
            **invitation.model_dump(),
            organization_name=organization.name,
            organization_slug=organization.slug,
            inviter_email=inviter.email if inviter else "",
        )

    @get("/organization/list-invitations", access="session", errors=(403,))
    async def list_invitations(self, call: Call, query: Which) -> list[Invitation]:
        """List an organization's invitations, newest first, for who may invite."""
        _, own = await self._member(call, query.organization_id, query.organization_slug)
        await self._allowed(call, own.organization_id, "invitation", "create")
        return await self.context.database.find(
            Invitation, organization_id=own.organization_id, order_by=("-created_at", "-id")
        )

    @get("/organization/list-user-invitations", access="session", errors=(403,))
    async def list_user_invitations(self, call: Call) -> list[InvitationTo]:
        """List the pending invitations to the caller's own, proven e-mail address, newest first."""
        caller = await call.require()
        if not caller.user.email_verified:  # or whoever claims an address learns of its invitations
            raise Forbidden(
                "Verify your e-mail address first", "EMAIL_VERIFICATION_REQUIRED_FOR_INVITATION"
            )
        database = self.context.database
        found = await database.find(
            Invitation,
            email=caller.user.email,
            status="pending",
            expires_at=gt(self.context.clock()),
            order_by=("-created_at", "-id"),
        )
        where: dict[str, Any] = {"id": in_([i.organization_id for i in found])}
        names = {o.id: o.name for o in await database.find(Organization, **where)}
        return [
            InvitationTo(**i.model_dump(), organization_name=names[i.organization_id])
            for i in found
            if i.organization_id in names
        ]

    def _require_proven(self, user: User) -> None:
        if self.require_verified_email and not user.email_verified:
            raise Forbidden(
                "Verify your e-mail address first",
                "EMAIL_VERIFICATION_REQUIRED_BEFORE_ACCEPTING_OR_REJECTING_INVITATION",
            )

    async def _invited(self, call: Call, invitation_id: str) -> tuple[Principal, Invitation]:
        """The caller, and the invitation that is theirs and serves still.

        Raises ``BadRequest`` for one that does not, and ``Forbidden`` for another's.
        """
        caller = await call.require()
        invitation = await self.context.database.find_one(
            Invitation, id=invitation_id, status="pending", expires_at=gt(self.context.clock())
        )
        if invitation is None:
            raise _no_invitation()
        if invitation.email != caller.user.email:
            raise Forbidden(
                "The invitation is somebody else's",
                "YOU_ARE_NOT_THE_RECIPIENT_OF_THE_INVITATION",
            )
        self._require_proven(caller.user)
        return caller, invitation

    async def _settle(self, invitation: Invitation, status: str) -> None:
        changes = {"status": status}
        if not await self.context.database.update(
            Invitation, changes, id=invitation.id, status="pending"
        ):
            raise _no_invitation()

    async def _pending(self, organization_id: str) -> list[Invitation]:
        return await self.context.database.find(
            Invitation,
            organization_id=organization_id,
            status="pending",
            expires_at=gt(self.context.clock()),
            order_by=("-created_at", "-id"),
        )

    async def _with_users(self, members: list[Member]) -> list[MemberWithUser]:
        users = await self._membership.users_of(members)
        return [_with_user(m, users[m.user_id]) for m in members if m.user_id in users]

    # Deleted users

    @on(UserDeleting)
    async def keep_owners(self, event: UserDeleting) -> None:
        """An organization with other members is handed over before its only owner goes."""
        shared, alone = await self._membership.solely_owned(event.user.id)
        if shared:
            raise Forbidden("Hand over your organizations first", "LAST_OWNER")
        self._left_empty[event.user.id] = alone

    @on(UserDeleted)
    async def delete_empty(self, event: UserDeleted) -> None:
        """What had no other member goes with its owner."""
        for organization_id in self._left_empty.pop(event.user.id, ()):
            if not await self.context.database.count(Member, organization_id=organization_id):
                await self._membership.delete(organization_id)


def active_organization(session: Session) -> str | None:
    """The id of the organization a session works in."""
    return session.active_organization_id if isinstance(session, ActiveOrganization) else None


def _with_user(member: Member, user: User) -> MemberWithUser:
    return MemberWithUser(**member.model_dump(), user=Person.of(user))


def not_a_member() -> Forbidden:
    """The same whether or not there is such an organization."""
    return Forbidden(
        "You are not a member of this organization", "USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION"
    )


def _no_invitation() -> BadRequest:
    return BadRequest("The invitation does not serve any longer", "INVITATION_NOT_FOUND")
