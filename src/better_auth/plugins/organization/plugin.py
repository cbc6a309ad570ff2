"""Organizations: members, roles, invitations, and the one a session works in."""

from typing import Any

from better_auth.adapters.base import in_
from better_auth.errors import BadRequest, Forbidden, UniqueViolation
from better_auth.events import SessionCreated, SessionCreating, UserDeleting, on
from better_auth.http.call import Call
from better_auth.http.endpoints import get, post
from better_auth.plugins.organization.invitation_endpoints import InvitationEndpoints
from better_auth.plugins.organization.member_endpoints import MemberEndpoints
from better_auth.plugins.organization.membership import slug_taken
from better_auth.plugins.organization.messages import (
    Available,
    FullOrganization,
    NewOrganization,
    OrganizationId,
    OrganizationUpdate,
    SetActive,
    SlugOnly,
    Which,
)
from better_auth.plugins.organization.records import (
    ActiveOrganization,
    Invitation,
    Member,
    Organization,
)
from better_auth.plugins.organization.standing import active_organization, with_user


class OrganizationPlugin(MemberEndpoints, InvitationEndpoints):
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
        now = self.context.clock()
        organization = Organization(
            name=body.name,
            slug=body.slug,
            logo=body.logo,
            metadata=body.metadata,
            created_at=now,
            updated_at=now,
        )
        owner = await self._membership.create(organization, caller.user.id, self.organization_limit)
        if not body.keep_current_active_organization:
            await self._activate(caller.session, organization.id)
        return FullOrganization(
            **organization.model_dump(),
            members=[with_user(owner, caller.user)],
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
            invitations = self._shown(own, await self._membership.pending(organization.id))
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
        return await self._organization(own.organization_id)

    @on(SessionCreating)
    async def begin_in_default(self, event: SessionCreating) -> None:
        """A new session works where the application says, if its user belongs there."""
        if self.default_organization is None or active_organization(event.session):
            return
        organization_id = await self.default_organization(event.user)
        if organization_id and await self._membership.of(event.user.id, organization_id):
            event.session = event.session.revised(active_organization_id=organization_id)

    @on(SessionCreated)
    async def leave_default(self, event: SessionCreated) -> None:
        """A session that began in the moment in which its user was put out works there no more."""
        session, organization_id = event.session, active_organization(event.session)
        if organization_id and await self._membership.of(session.user_id, organization_id) is None:
            await self._membership.leave_sessions(session.user_id, organization_id)

    # Deleted users

    @on(UserDeleting)
    async def keep_owners(self, event: UserDeleting) -> None:
        """An organization with other members is handed over before its only owner goes."""
        await self._membership.solely_owned(event.user.id)
