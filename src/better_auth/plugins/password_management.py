"""Passwords after sign-up: forgotten, changed, set, proven again."""

from datetime import timedelta

from pydantic import Field

from better_auth.crypto import Purpose
from better_auth.endings import Change
from better_auth.errors import BadRequest
from better_auth.events import SecurityChanged, on
from better_auth.http.body import Input
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import get, post
from better_auth.http.messages import Redirect
from better_auth.mail import MailKind, Send
from better_auth.models import Account, Fields, User
from better_auth.plugins.answers import Renewed, Status, refused_at
from better_auth.plugins.base import Plugin
from better_auth.users import normalize_email

LONGEST_TOKEN = 256


class RequestReset(Input):
    """Whose password is forgotten, and the page on which a new one is chosen."""

    email: str = Field(min_length=1, max_length=320, json_schema_extra={"format": "email"})
    redirect_to: str | None = Field(default=None, max_length=2048)


class ResetRequested(Fields):
    """The same whether or not anybody has the address."""

    status: bool = True
    message: str = "If there is an account with this address, a mail is on its way"


class ResetPage(Input):
    """The page to go on to with the token."""

    callback_url: str = Field(alias="callbackURL", max_length=2048)


class ResetPassword(Input):
    """The new password, and the token that the mail brought."""

    new_password: str = Field(repr=False, json_schema_extra={"format": "password"})
    token: str = Field(repr=False, max_length=LONGEST_TOKEN)


class ChangePassword(Input):
    """The old password and the new. ``revokeOtherSessions: false`` leaves other devices in."""

    new_password: str = Field(repr=False, json_schema_extra={"format": "password"})
    current_password: str = Field(repr=False, json_schema_extra={"format": "password"})
    revoke_other_sessions: bool = True


class PasswordChanged(Fields):
    """The session's new token, and its user."""

    token: str
    user: User


class SetPassword(Input):
    """A first password."""

    new_password: str = Field(repr=False, json_schema_extra={"format": "password"})


class VerifyPassword(Input):
    """The password, to be proven again."""

    password: str = Field(repr=False, json_schema_extra={"format": "password"})


class PasswordManagementPlugin(Plugin):
    """Resets by a link in mail; ``/change-password``, ``/set-password``, ``/verify-password``.

    The link goes out by ``BetterAuth(mail=...)``, or by ``send_reset`` (a function of a
    ``Letter``). It is good once, for ``reset_lifetime``, and leads by way of
    ``GET /reset-password/{token}`` to the page that the request named, or to ``reset_page``.
    ``revoke_sessions_on_reset=False`` keeps sessions that were there before a reset.
    ``notify=False`` tells nobody that their password was changed.
    """

    name = "Passwords"

    def __init__(
        self,
        *,
        send_reset: Send | None = None,
        reset_lifetime: timedelta = timedelta(hours=1),
        reset_page: str = "/reset-password",
        revoke_sessions_on_reset: bool = True,
        notify: bool = True,
    ) -> None:
        self.send_reset = send_reset
        self.reset_lifetime = reset_lifetime
        self.reset_page = reset_page
        self.revoke_sessions_on_reset = revoke_sessions_on_reset
        self.notify = notify

    def bind(self, context: Context) -> None:
        super().bind(context)
        context.mail.route(MailKind.RESET_PASSWORD, self.send_reset)

    @post("/request-password-reset", takes_credentials=True, sends_mail=True)
    async def request_password_reset(self, call: Call, body: RequestReset) -> ResetRequested:
        """Mail a link with which to choose a new password.

        Whether there is such a user is looked up after the answer, which is the same for all.
        """
        self.context.mail.require(MailKind.RESET_PASSWORD)
        self.context.origins.check_redirect(body.redirect_to, call.request, "redirectTo")
        email = normalize_email(body.email)
        page = body.redirect_to or self.reset_page
        endpoint = call.link("/reset-password")

        async def send() -> None:
            user = await self.context.users.find_by_email(email)
            if user is None:
                return
            if not await self.context.proofs.may_send(Purpose.RESET_PASSWORD, email):
                return
            token = await self.context.proofs.issue(
                Purpose.RESET_PASSWORD,
                f"{user.id} {user.email}",
                self.reset_lifetime,
                subject=user.id,
            )
            url = Redirect.to(f"{endpoint}/{token}", callbackURL=page).location
            self.context.mail.send(MailKind.RESET_PASSWORD, user.email, url=url, token=token)

        self.context.mail.later(MailKind.RESET_PASSWORD, send)
        return ResetRequested()

    @get("/reset-password/{token}", errors=(403,))
    async def follow_reset_link(self, call: Call, query: ResetPage) -> Redirect:
        """Go on from the mail to the page: with ``?token``, or ``?error=INVALID_TOKEN``."""
        self.context.origins.check_redirect(query.callback_url, call.request, "callbackURL")
        token = call.request.path_params["token"]
        if await self.context.proofs.look(Purpose.RESET_PASSWORD, token) is None:
            return refused_at(query.callback_url, _invalid_token())
        return Redirect.to(query.callback_url, token=token)

    @post("/reset-password", takes_credentials=True, errors=(422,))
    async def reset_password(self, call: Call, body: ResetPassword) -> Status:
        """Choose a new password with the token of the mail. Ends all sessions.

        The mail was read, so the address is verified; where it was not before, nothing that was
        there before stays a way in.
        """
        proofs, users = self.context.proofs, self.context.users
        if await proofs.look(Purpose.RESET_PASSWORD, body.token) is None:
            raise _invalid_token()
        await users.check_new_password(body.new_password)
        password_hash = await self.context.passwords.hash(body.new_password)
        value = await proofs.redeem(Purpose.RESET_PASSWORD, body.token)
        user_id, _, email = (value or "").partition(" ")
        user = await users.find(user_id)
        if user is None or user.email != email:
            raise _invalid_token()
        user = await users.claim_email(user)
        await users.give_password(user, password_hash)
        await self.context.sessions.end_after(
            Change.PASSWORD_RESET, user.id, keep_sessions=not self.revoke_sessions_on_reset
        )
        self._notify(user)
        return Status()

    @post("/change-password", access="session", takes_credentials=True)
    async def change_password(self, call: Call, body: ChangePassword) -> PasswordChanged:
        """Change the password, knowing the old one.

        Ends the user's other sessions, unless asked not to; this one gets a new token.
        """
        caller = await call.require_own()
        await self.context.users.check_new_password(body.new_password)
        account = await self._proven(call, caller.user, body.current_password)
        password_hash = await self.context.passwords.hash(body.new_password)
        if not await self.context.users.set_password_hash(account, password_hash):
            raise _wrong_password()  # changed by another request meanwhile
        await self.context.sessions.end_after(
            Change.PASSWORD_CHANGED,
            caller.user.id,
            current=caller.session,
            keep_sessions=not body.revoke_other_sessions,
        )
        session = await call.renew_session(caller, authenticated=True)
        self._notify(caller.user)
        return PasswordChanged(token=session.token, user=caller.user)

    @post("/set-password", access="session", takes_credentials=True)
    async def set_password(self, call: Call, body: SetPassword) -> Renewed:
        """Give a user who signs in otherwise a first password. Asks for a fresh session."""
        caller = await call.require_fresh()
        account = await self.context.users.credential(caller.user.id)
        if account is not None and account.password_hash is not None:
            raise BadRequest("There is a password already", "PASSWORD_ALREADY_SET")
        await self.context.users.check_new_password(body.new_password)
        password_hash = await self.context.passwords.hash(body.new_password)
        await self.context.users.give_password(caller.user, password_hash)
        await self.context.sessions.end_after(
            Change.PASSWORD_CHANGED, caller.user.id, current=caller.session, keep_sessions=True
        )
        session = await call.renew_session(caller)
        self._notify(caller.user)
        return Renewed(token=session.token)

    @post("/verify-password", access="session", takes_credentials=True)
    async def verify_password(self, call: Call, body: VerifyPassword) -> Renewed:
        """Prove the password again: the session is fresh from now on, under a new token
        (OWASP ASVS 5.0, 7.2.4)."""
        caller = await call.require_own()
        await self._proven(call, caller.user, body.password)
        session = await call.renew_session(caller, authenticated=True)
        return Renewed(token=session.token)

    @on(SecurityChanged)
    async def void_links(self, event: SecurityChanged) -> None:
        """A link asked for before a change to its user is no good after it."""
        if event.ending.challenges:
            await self.context.proofs.revoke(Purpose.RESET_PASSWORD, event.user_id)

    async def _proven(self, call: Call, user: User, password: str) -> Account:
        """The account whose password this is. Raises ``BadRequest``."""
        users = self.context.users
        proven = await users.proven_credential(user.id, password)
        if proven is None:
            account = await users.credential(user.id)
            if account is None or account.password_hash is None:
                raise BadRequest("This user has no password", "CREDENTIAL_ACCOUNT_NOT_FOUND")
            await call.sign_in_failed("password", "wrong password", user.id)
            raise _wrong_password()
        return proven

    def _notify(self, user: User) -> None:
        if self.notify:
            self.context.mail.send(MailKind.PASSWORD_CHANGED, user.email)


def _wrong_password() -> BadRequest:
    return BadRequest("The password is wrong", "INVALID_PASSWORD")


def _invalid_token() -> BadRequest:
    return BadRequest("The link is not, or no longer, good", "INVALID_TOKEN")
