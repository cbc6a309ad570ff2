"""Invitations to an organization: sent, listed, accepted, turned down, taken back."""

from collections.abc import Sequence
from typing import Any

from better_auth.adapters.base import NEWEST_FIRST, gt, in_
from better_auth.errors import BadRequest, Forbidden
from better_auth.http.call import Call
from better_auth.http.endpoints import get, post
from better_auth.mail import MailKind
from better_auth.models import Principal, User
from better_auth.plugins.organization.membership import already_a_member
from better_auth.plugins.organization.messages import (
    Answered,
    InvitationDetails,
    InvitationId,
    InvitationQuery,
    InvitationTo,
    Invite,
    Which,
)
from better_auth.plugins.organization.records import (
    Invitation,
    Organization,
)
from better_auth.plugins.organization.roles import REFUSALS
from better_auth.plugins.organization.standing import Standing, no_invitation
from better_auth.users import normalize_email


class InvitationEndpoints(Standing):
    """Who is to belong to an organization."""

    @post("/organization/invite-member", access="session", errors=(400, 403))
    async def invite_member(self, call: Call, body: Invite) -> Invitation:
        """Invite an e-mail address, with a role up to one's own.

        An address is written to five times in 15 minutes, whoever invites it to whatever.
        """
        caller, own = await self._allowed(call, body.organization_id, "invitation", "create")
        role = self.roles.checked(body.role)
        code = "YOU_ARE_NOT_ALLOWED_TO_INVITE_USER_WITH_THIS_ROLE"
        self._membership.refuse_more_than(own, role, code=code)
        email = normalize_email(body.email)
        user = await self.context.users.find_by_email(email)
        if user and await self._membership.of(user.id, own.organization_id):
            raise already_a_member()

        def replaces(pending: Sequence[Invitation]) -> Sequence[Invitation]:
            before = [invitation for invitation in pending if invitation.email == email]
            if before and not body.resend:
                raise BadRequest(
                    "Is invited already", "USER_IS_ALREADY_INVITED_TO_THIS_ORGANIZATION"
                )
            self._membership.refuse_more_than(own, *(old.role for old in before), code=code)
            if not before and len(pending) >= self.invitation_limit:
                raise Forbidden(
                    "There are as many invitations as there may be", "INVITATION_LIMIT_REACHED"
                )
            return before

        replaces(await self._membership.pending(own.organization_id))  # before mail is paid for
        if self.send_invitation is not None:
            await self.context.proofs.pay_to_send(MailKind.INVITATION, email)
        now = self.context.clock()
        invitation = Invitation(
            organization_id=own.organization_id,
            email=email,
            role=role,
            inviter_id=caller.user.id,
            created_at=now,
            expires_at=now + self.invitation_lifetime,
        )
        await self._membership.invite(own, invitation, replaces)
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
            raise no_invitation()
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
            raise no_invitation()
        _, own = await self._allowed(call, found.organization_id, "invitation", "cancel")
        code = REFUSALS["invitation", "cancel"]
        self._membership.refuse_more_than(own, found.role, code=code)
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
        """List an organization's invitations, newest first, for who may invite: those to a role
        up to one's own."""
        _, own = await self._member(call, query.organization_id, query.organization_slug)
        await self._allowed(call, own.organization_id, "invitation", "create")
        found = await self.context.database.find(
            Invitation, organization_id=own.organization_id, order_by=NEWEST_FIRST
        )
        return self._shown(own, found)

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
            order_by=NEWEST_FIRST,
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
            raise no_invitation()
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
            raise no_invitation()
