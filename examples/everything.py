"""Everything at once: the application to copy from.

    uvicorn examples.everything:app --no-proxy-headers

Configured by ``BETTER_AUTH_*`` variables (docs/configuration.md). Messages to people are appended,
as JSON lines, to the file that the variable ``OUTBOX`` names; the addresses in ``ADMIN_EMAILS``
(separated by commas) become admins when they sign up. ``OAUTH_GOOGLE_CLIENT_ID`` and so on name
providers to sign in with (docs/oauth.md). Needs the extras ``fastapi``, ``server`` and
``telemetry``.
"""

import json
import os
from pathlib import Path

from fastapi import FastAPI, WebSocket
from fastapi.staticfiles import StaticFiles

from better_auth import AuthConfig, BetterAuth, User
from better_auth.development import development_secret
from better_auth.events import UserCreated, UserCreating
from better_auth.handlers import (
    CurrentSession,
    OptionalSession,
    closing_on_revocation,
    mount_auth,
)
from better_auth.mail import MailMessage
from better_auth.plugins import (
    AccountManagementPlugin,
    AdminPlugin,
    AnonymousPlugin,
    AuditPlugin,
    BearerPlugin,
    EmailOtpPlugin,
    EmailPasswordPlugin,
    EmailVerificationPlugin,
    MagicLinkPlugin,
    MultiSessionPlugin,
    OAuthPlugin,
    OneTimeTokenPlugin,
    OrganizationPlugin,
    PasswordManagementPlugin,
    SessionManagementPlugin,
    TelemetryPlugin,
    TwoFactorPlugin,
    UserManagementPlugin,
    UsernamePlugin,
)
from better_auth.plugins.oauth import providers_from_env
from better_auth.plugins.organization import Invitation, Organization
from better_auth.users import NO_MAIL_DOMAIN, normalize_email


def configuration() -> AuthConfig:
    """The environment's settings; in development without a secret, one of our own making."""
    given = AuthConfig.from_env(database_url="sqlite:///everything.db", javascript_path="/api/auth")
    if given.mode == "production" or given.secret or given.secrets:
        return given
    given.secret = development_secret(Path(".better-auth"))  # type: ignore[assignment]
    return given


def send(to: str, kind: str, *, code: str | None = None, url: str | None = None) -> None:
    """Deliver a message: ``code`` is a one-time code, ``url`` a link to follow."""
    outbox = os.environ.get("OUTBOX")
    if outbox:
        home = auth.config.base_url or "/"  # for what has nothing to follow, only to know
        content = {"code": code} if code is not None else {"url": url or home}
        with Path(outbox).open("a") as file:
            file.write(json.dumps({"to": to, "kind": kind, **content}) + "\n")


class Outbox:
    """Delivers mail; in an application of your own, ``SmtpProvider`` or ``config.mail``."""

    async def send(self, message: MailMessage) -> None:
        """Deliver ``message``."""
        send(message.to, message.kind, code=message.code, url=message.url)


async def send_otp(user: User, code: str) -> None:
    """Deliver a one-time code."""
    send(user.email, "otp", code=code)


async def send_invitation(invitation: Invitation, organization: Organization, by: User) -> None:
    """Deliver an invitation to an organization."""
    url = f"{auth.config.base_url or ''}/invitations/{invitation.id}"
    send(invitation.email, "invitation", url=url)


auth = BetterAuth(
    configuration(),
    plugins=[
        EmailPasswordPlugin(),
        EmailVerificationPlugin(),
        PasswordManagementPlugin(),
        SessionManagementPlugin(),
        UserManagementPlugin(),
        AccountManagementPlugin(),
        UsernamePlugin(),
        MagicLinkPlugin(),
        EmailOtpPlugin(enable_change_email=True),
        OAuthPlugin(providers_from_env(), allow_http=os.environ.get("OAUTH_ALLOW_HTTP") == "true"),
        AnonymousPlugin(),
        OneTimeTokenPlugin(),
        MultiSessionPlugin(),
        TwoFactorPlugin(issuer="Everything", send_otp=send_otp),
        AdminPlugin(),
        OrganizationPlugin(send_invitation=send_invitation),
        BearerPlugin(),
        AuditPlugin(),
        TelemetryPlugin(),
    ],
    mail=Outbox(),
)

ADMIN_EMAILS = {
    normalize_email(text.strip())
    for text in os.environ.get("ADMIN_EMAILS", "").split(",")
    if text.strip()
}


@auth.on(UserCreating)
def appoint(event: UserCreating) -> None:
    """Whoever ``ADMIN_EMAILS`` names becomes an admin when they sign up."""
    if event.user.email in ADMIN_EMAILS:
        event.user = event.user.revised(role="admin")


@auth.on(UserCreated)
def welcome(event: UserCreated) -> None:
    """Greet everyone who signs up and can be written to."""
    if not event.user.email.endswith(f"@{NO_MAIL_DOMAIN}"):
        send(event.user.email, "welcome", url=auth.config.base_url)


app = FastAPI(title="Everything")
mount_auth(app, auth)


@app.get("/me")
async def me(session: CurrentSession) -> dict[str, str]:
    """Who is asking; 401 for nobody."""
    return {
        "userId": session.user.id,
        "email": session.user.email,
        "sessionId": session.session.id,
    }


@app.get("/maybe")
async def maybe(session: OptionalSession) -> dict[str, str | None]:
    """Who is asking, if anybody."""
    return {"userId": session.user.id if session else None}


@app.websocket("/ws")
async def ws(socket: WebSocket, session: CurrentSession) -> None:
    """Say who is there, then repeat what they say, until their session is revoked anywhere."""
    await socket.accept()
    await socket.send_json({"userId": session.user.id, "email": session.user.email})
    async with closing_on_revocation(socket, session):
        async for text in socket.iter_text():
            await socket.send_text(text)


if page := os.environ.get("PAGE"):
    app.mount("/", StaticFiles(directory=page, html=True))
