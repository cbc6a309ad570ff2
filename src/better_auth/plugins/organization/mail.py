"""Invitations by the application's mail."""

from better_auth.http.call import Context
from better_auth.mail import MailKind
from better_auth.models import User
from better_auth.plugins.organization.messages import SendInvitation
from better_auth.plugins.organization.records import Invitation, Organization


def invitations_by_mail(context: Context, page: str) -> SendInvitation | None:
    """What sends an invitation by ``BetterAuth(mail=...)``: a link to ``page``, a path below
    ``base_url``, followed by the invitation's id. None where either is not there."""
    base = context.config.base_url
    if base is None or not context.mail.tells(MailKind.INVITATION):
        return None

    async def send(invitation: Invitation, organization: Organization, by: User) -> None:
        context.mail.send(
            MailKind.INVITATION,
            invitation.email,
            url=f"{base}{page}/{invitation.id}",
            details={"organization": organization.name, "inviter": by.email},
        )

    return send
