"""Who belongs to what: the rules that hold however membership changes.

There is always an owner; nobody reaches a role above their own; an invitation serves once; and
what a session calls its active organization is one its user belongs to. Every change of members
holds the organization's row, so that two at once cannot break between them what each keeps.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from better_auth.adapters.base import NEWEST_FIRST, Verbs, gt, in_
from better_auth.errors import BadRequest, Forbidden, UniqueViolation
from better_auth.http.call import Context
from better_auth.models import User
from better_auth.plugins.access import AccessControl
from better_auth.plugins.organization.records import Invitation, Member, Organization
from better_auth.plugins.organization.roles import ONLY_OWNER, OWNER, REFUSALS

Replaces: TypeAlias = Callable[[Sequence[Invitation]], Sequence[Invitation]]
"""Which of an organization's pending invitations a new one takes the place of; raises where there
may be no new one."""


class Membership:
    """The members of one application's organizations."""

    def __init__(self, context: Context, roles: AccessControl, limit: int) -> None:
        self._context = context
        self._database = context.database
        self._roles = roles
        self._limit = limit

    async def of(self, user_id: str, organization_id: str) -> Member | None:
        """What ``user_id`` is in the organization."""
        return await self._database.find_one(
            Member, user_id=user_id, organization_id=organization_id
        )

    async def create(
        self, organization: Organization, owner_id: str, limit: int | None = None
    ) -> Member:
        """Store an organization with its first owner, who may be in ``limit``.

        Raises ``BadRequest`` and ``Forbidden``.
        """
        member = self._member(organization.id, owner_id, OWNER)
        try:
            async with self._database.transaction() as verbs:
                if limit is not None:
                    await verbs.lock(User, owner_id)  # of two at once, the second counts the first
                    if await verbs.count(Member, user_id=owner_id) >= limit:
                        raise Forbidden(
                            "You have as many organizations as you may",
                            "YOU_HAVE_REACHED_THE_MAXIMUM_NUMBER_OF_ORGANIZATIONS",
                        )
                await verbs.insert(organization)
                await verbs.insert(member)
        except UniqueViolation:
            raise slug_taken("ORGANIZATION_ALREADY_EXISTS") from None
        return member

    async def add(self, organization_id: str, user_id: str, role: str) -> Member:
        """Make a user a member. Raises ``BadRequest`` and ``Forbidden``."""
        async with self._database.transaction() as verbs:
            if not await verbs.lock(Organization, organization_id):
                raise BadRequest("There is no such organization", "ORGANIZATION_NOT_FOUND")
            return await self._insert(verbs, organization_id, user_id, role)

    async def accept(self, invitation: Invitation, user: User) -> Member | None:
        """Join by an invitation; None where it does not serve any longer."""
        now = self._context.clock()
        async with self._database.transaction() as verbs:
            await verbs.lock(Organization, invitation.organization_id)
            serves = await verbs.update(
                Invitation,
                {"status": "accepted"},
                id=invitation.id,
                status="pending",
                expires_at=gt(now),
            )
            if not serves:
                return None
            return await self._insert(verbs, invitation.organization_id, user.id, invitation.role)

    async def invite(self, own: Member, invitation: Invitation, replaces: Replaces) -> None:
        """Store an invitation by ``own`` in place of those that it ``replaces``.

        Raises what that does, and ``Forbidden`` where ``own`` may not invite any longer.
        """
        async with self._database.transaction() as verbs:
            await verbs.lock(Organization, own.organization_id)
            still = await verbs.find_one(Member, id=own.id)
            if still is None or not self._may_invite(still, invitation.role):
                code = REFUSALS["invitation", "create"]
                raise Forbidden("You may not invite any longer", code)
            before = replaces(await self.pending(own.organization_id, verbs))
            await self._cancel(verbs, id=in_([old.id for old in before]))
            await verbs.insert(invitation)

    async def pending(self, organization_id: str, verbs: Verbs | None = None) -> list[Invitation]:
        """The organization's invitations that nobody has answered yet, newest first."""
        return await (verbs or self._database).find(
            Invitation,
            organization_id=organization_id,
            status="pending",
            expires_at=gt(self._context.clock()),
            order_by=NEWEST_FIRST,
        )

    async def _insert(self, verbs: Verbs, organization_id: str, user_id: str, role: str) -> Member:
        if await verbs.count(Member, organization_id=organization_id) >= self._limit:
            raise Forbidden(
                "The organization has as many members as it may",
                "ORGANIZATION_MEMBERSHIP_LIMIT_REACHED",
            )
        if await verbs.find_one(Member, organization_id=organization_id, user_id=user_id):
            raise already_a_member()
        return await verbs.insert(self._member(organization_id, user_id, role))

    async def change_role(self, member: Member, role: str) -> Member:
        """Give a member another role, and end the invitations they sent, pending still, that they
        could not send with it.

        Raises ``BadRequest`` for the last owner, and where ``member`` is that no longer.
        """
        changed = member.revised(role=role)
        by_them: dict[str, Any] = {
            "organization_id": member.organization_id,
            "inviter_id": member.user_id,
            "status": "pending",
        }
        async with self._database.transaction() as verbs:
            await self._keep_an_owner(verbs, member, still=_is_owner(role))
            await verbs.update(Member, {"role": role}, id=member.id)
            sent = await verbs.find(Invitation, **by_them)
            void = [one.id for one in sent if not self._may_invite(changed, one.role)]
            await self._cancel(verbs, id=in_(void))
        return changed

    async def remove(self, member: Member) -> bool:
        """End a membership, what the user's sessions do there, and the invitations they sent that
        are pending still; whether this call did.

        Raises ``BadRequest`` for the last owner, and where ``member`` is that no longer.
        """
        async with self._database.transaction() as verbs:
            await self._keep_an_owner(verbs, member, still=False)
            gone = await verbs.delete(Member, id=member.id)
            if gone:
                await self._cancel(
                    verbs, organization_id=member.organization_id, inviter_id=member.user_id
                )
        await self.leave_sessions(member.user_id, member.organization_id)
        return bool(gone)

    async def leave_sessions(self, user_id: str, organization_id: str) -> None:
        """Have no session of the user work in the organization any longer."""
        await self._context.sessions.rewrite(
            {"active_organization_id": None},
            user_id=user_id,
            active_organization_id=organization_id,
        )

    async def _cancel(self, verbs: Verbs, **where: Any) -> None:
        await verbs.update(Invitation, {"status": "canceled"}, status="pending", **where)

    async def _keep_an_owner(self, verbs: Verbs, member: Member, *, still: bool) -> None:
        await verbs.lock(Organization, member.organization_id)
        if await verbs.find_one(Member, id=member.id, role=member.role) is None:
            # Who may be reached was decided by what they were.
            raise BadRequest("Was given another role or removed meanwhile", "MEMBER_NOT_FOUND")
        if still:
            return
        members = await verbs.find(Member, organization_id=member.organization_id)
        if not any(_is_owner(other.role) for other in members if other.id != member.id):
            raise BadRequest("An organization keeps an owner", ONLY_OWNER)

    async def delete(self, organization_id: str) -> bool:
        """Delete an organization with all that is its own; whether this call did."""
        gone = await self._database.delete(Organization, id=organization_id)
        await self._context.sessions.rewrite(
            {"active_organization_id": None}, active_organization_id=organization_id
        )
        return bool(gone)

    async def leave_all(self, verbs: Verbs, user: User) -> None:
        """Let go of a user who is being deleted: what nobody else belongs to goes with them.

        Raises ``Forbidden`` where others belong to what they alone own.
        """
        where: dict[str, Any] = {"user_id": user.id}
        for own in await verbs.find(Member, order_by="organization_id", **where):
            await verbs.lock(Organization, own.organization_id)
        await verbs.delete(Organization, id=in_(await self.solely_owned(user.id, verbs)))

    async def solely_owned(self, user_id: str, verbs: Verbs | None = None) -> list[str]:
        """The organizations that have no other member. Raises ``Forbidden`` where one has, and
        none of them owns it."""
        verbs = verbs or self._database
        alone: list[str] = []
        for own in await verbs.find(Member, user_id=user_id):
            members = await verbs.find(Member, organization_id=own.organization_id)
            others = [member for member in members if member.user_id != user_id]
            if not others:
                alone.append(own.organization_id)
            elif _is_owner(own.role) and not any(_is_owner(member.role) for member in others):
                raise Forbidden("Hand over your organizations first", "LAST_OWNER")
        return alone

    async def users_of(self, members: Sequence[Member]) -> dict[str, User]:
        """The users behind ``members``, by id."""
        ids = [member.user_id for member in members]
        where: dict[str, Any] = {"id": in_(ids)}
        return {user.id: user for user in await self._database.find(User, **where)}

    def refuse_more_than(self, own: Member, *roles: str, code: str) -> None:
        """Raises ``Forbidden`` (``code``) where one of ``roles`` may do what ``own`` may not."""
        if not all(self.reaches(own, role) for role in roles):
            raise Forbidden("That role may do more than yours", code)

    def reaches(self, own: Member, role: str) -> bool:
        """Whether ``role`` may do nothing that ``own`` may not."""
        is_no_more = self._roles.held_by(role) <= self._roles.held_by(own.role)
        return is_no_more and _is_owner(role) <= _is_owner(own.role)

    def _may_invite(self, own: Member, role: str) -> bool:
        may_invite = self._roles.allows(own.role, {"invitation": ("create",)})
        return may_invite and self.reaches(own, role)

    def _member(self, organization_id: str, user_id: str, role: str) -> Member:
        return Member(
            organization_id=organization_id,
            user_id=user_id,
            role=self._roles.checked(role),
            created_at=self._context.clock(),
        )


def slug_taken(code: str = "ORGANIZATION_SLUG_ALREADY_TAKEN") -> BadRequest:
    """Another organization has this slug."""
    return BadRequest("The slug is taken", code)


def already_a_member() -> BadRequest:
    """Nobody joins twice."""
    return BadRequest("Is a member already", "USER_IS_ALREADY_A_MEMBER_OF_THIS_ORGANIZATION")


def _is_owner(role: str) -> bool:
    return OWNER in role.split(",")
