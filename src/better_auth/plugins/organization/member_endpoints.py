"""Members of an organization: list them, change their roles, put them out, leave."""

from typing import Any

from better_auth.errors import BadRequest
from better_auth.http.call import Call
from better_auth.http.endpoints import get, post
from better_auth.plugins.organization.messages import (
    MemberPage,
    MemberResult,
    MemberRole,
    MemberToRemove,
    MemberWithUser,
    OrganizationId,
    RoleOf,
    WhichPage,
    WhichRole,
)
from better_auth.plugins.organization.records import (
    Member,
)
from better_auth.plugins.organization.roles import REFUSALS
from better_auth.plugins.organization.standing import Standing, not_a_member, with_user
from better_auth.users import normalize_email


class MemberEndpoints(Standing):
    """Who belongs to an organization, and as what."""

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
        return with_user(own, caller.user)

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
        return MemberResult(member=with_user(member, person))

    @post("/organization/leave", access="session", errors=(403,))
    async def leave(self, call: Call, body: OrganizationId) -> MemberWithUser:
        """Leave an organization; the last owner cannot."""
        caller, own = await self._member(call, body.organization_id)
        await self._membership.remove(own)
        return with_user(own, caller.user)

    async def _other(self, own: Member, **where: Any) -> Member:
        where["organization_id"] = own.organization_id
        member = await self.context.database.find_one(Member, **where)
        if member is None:
            raise BadRequest("There is no such member", "MEMBER_NOT_FOUND")
        return member
