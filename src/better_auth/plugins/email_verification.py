"""Proving that an address is its user's, and changing it for another that is."""

import logging
from datetime import timedelta
from typing import Any

from pydantic import Field

from better_auth.adapters.base import gt
from better_auth.crypto import Purpose
from better_auth.endings import Change
from better_auth.errors import AuthError, BadRequest, Forbidden, Unauthorized, UnprocessableEntity
from better_auth.events import SecurityChanged, SignedUpAgain, on
from better_auth.http.body import Input
from better_auth.http.call import Call, Context, Occasion
from better_auth.http.endpoints import get, post
from better_auth.http.messages import Redirect
from better_auth.mail import MailKind, Send
from better_auth.models import Fields, Principal, Session, User
from better_auth.plugins.answers import Status, refused_at
from better_auth.plugins.base import Plugin
from better_auth.users import normalize_email

logger = logging.getLogger("better_auth.email_verification")


class SendVerification(Input):
    """Which address to verify, and where to go afterwards."""

    email: str = Field(min_length=1, max_length=320, json_schema_extra={"format": "email"})
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)


class VerifyEmail(Input):
    """What the link in the mail says."""

    token: str = Field(repr=False, max_length=256)
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)


class ChangeEmail(Input):
    """The new address, and where to go once it is confirmed."""

    new_email: str = Field(min_length=1, max_length=320, json_schema_extra={"format": "email"})
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)


class Verified(Fields):
    """It was done; ``user`` is whose address was changed."""

    status: bool = True
    user: User | None = None


class EmailVerificationPlugin(Plugin):
    """``/send-verification-email``, ``GET /verify-email`` and ``/change-email``.

    Mail goes out by ``BetterAuth(mail=...)``, or by ``send`` (a function of a ``Letter``, of kind
    ``verify-email``, ``change-email``, ``email-changed`` or ``email-taken``). Links are good for
    ``lifetime``. A link is sent to whoever signs up (``send_on_sign_up``) and to whoever is
    refused for not having followed it (``send_on_sign_in``). With
    ``auto_sign_in_after_verification`` following it signs in, the first time.
    ``enable_email_change=False`` refuses ``/change-email``.
    """

    name = "E-mail verification"

    def __init__(
        self,
        *,
        send: Send | None = None,
        lifetime: timedelta = timedelta(hours=1),
        send_on_sign_up: bool = True,
        send_on_sign_in: bool = False,
        auto_sign_in_after_verification: bool = False,
        enable_email_change: bool = True,
    ) -> None:
        self.own_send = send
        self.lifetime = lifetime
        self.send_at: set[Occasion] = set()
        if send_on_sign_up:
            self.send_at.add("sign-up")
        if send_on_sign_in:
            self.send_at.add("sign-in")
        self.auto_sign_in_after_verification = auto_sign_in_after_verification
        self.enable_email_change = enable_email_change

    def bind(self, context: Context) -> None:
        super().bind(context)
        context.mail.route(MailKind.VERIFY_EMAIL, self.own_send, needed_by=type(self).__name__)
        for kind in (MailKind.CHANGE_EMAIL, MailKind.EMAIL_CHANGED, MailKind.EMAIL_TAKEN):
            context.mail.route(kind, self.own_send)
        context.verifiers.append(self._ask)

    @post("/send-verification-email", takes_credentials=True, sends_mail=True)
    async def send_verification_email(self, call: Call, body: SendVerification) -> Status:
        """Mail a link that verifies an address.

        Without a session the answer is the same for every address, and what becomes of it is
        found out afterwards. With one, only the user's own may be asked for.
        """
        self.context.origins.check_redirect(body.callback_url, call.request, "callbackURL")
        email = normalize_email(body.email)
        link = call.link("/verify-email", callbackURL=body.callback_url)
        caller = await call.principal()
        if caller is not None:
            if caller.user.email != email:
                raise BadRequest("email: not this user's", "EMAIL_MISMATCH")
            if caller.user.email_verified:
                raise BadRequest("The address is verified already", "EMAIL_ALREADY_VERIFIED")
        self._send_later(email, link)
        return Status()

    @get("/verify-email", errors=(401, 403, 422), acts=True)
    async def verify_email(self, call: Call, query: VerifyEmail) -> Redirect | Verified:
        """Follow the link: the address is verified, or changed.

        Goes on to ``callbackURL``, with ``?error=...`` where the link is not good; without one
        the answer is JSON. Sessions begun before end, but for the one that followed the link.
        """
        self.context.origins.check_redirect(query.callback_url, call.request, "callbackURL")
        try:
            verified = await self._follow(call, query.token)
        except AuthError as error:
            return refused_at(query.callback_url, error)
        return Redirect.to(query.callback_url) if query.callback_url is not None else verified

    @post("/change-email", access="session", takes_credentials=True, sends_mail=True)
    async def change_email(self, call: Call, body: ChangeEmail) -> Status:
        """Mail a link to a new address that makes it the user's. Asks for a fresh session.

        Until it is followed nothing changes; then the old address is told. An address that
        somebody has is answered alike, and gets no mail.
        """
        caller = await call.require_fresh()
        if not self.enable_email_change:
            raise BadRequest("Changing the address is not enabled", "CHANGE_EMAIL_DISABLED")
        self.context.mail.require(MailKind.CHANGE_EMAIL)
        self.context.origins.check_redirect(body.callback_url, call.request, "callbackURL")
        new = normalize_email(body.new_email)
        old, user_id = caller.user.email, caller.user.id
        if new == old:
            raise BadRequest("newEmail: this is the address already", "EMAIL_IS_THE_SAME")
        link = call.link("/verify-email", callbackURL=body.callback_url)
        live: dict[str, Any] = {"id": caller.session.id, "expires_at": gt(self.context.clock())}

        async def send() -> None:
            if await self.context.users.find_by_email(new) is not None:
                return
            if not await self.context.proofs.may_send(Purpose.CHANGE_EMAIL, new):
                return
            token = await self.context.proofs.issue(
                Purpose.CHANGE_EMAIL, f"{user_id} {old} {new}", self.lifetime, subject=user_id
            )
            if not await self.context.database.count(Session, **live):
                # What ended it may have voided such links already, before this one was made.
                await self.context.proofs.redeem(Purpose.CHANGE_EMAIL, token)
                return
            url = Redirect.to(link, token=token).location
            self.context.mail.send(MailKind.CHANGE_EMAIL, new, url=url, token=token)

        self.context.mail.later(MailKind.CHANGE_EMAIL, send)
        return Status()

    @on(SignedUpAgain)
    def tell_owner(self, event: SignedUpAgain) -> None:
        """Who has an address learns that somebody tried to sign up with it."""
        email = event.user.email

        async def send() -> None:
            if await self.context.proofs.may_send(MailKind.EMAIL_TAKEN, email):
                self.context.mail.send(MailKind.EMAIL_TAKEN, email)

        self.context.mail.later(MailKind.EMAIL_TAKEN, send)

    @on(SecurityChanged)
    async def void_links(self, event: SecurityChanged) -> None:
        """A change of address that was asked for before something happened needs asking again."""
        if event.ending.challenges:
            await self.context.proofs.revoke(Purpose.CHANGE_EMAIL, event.user_id)

    def _ask(self, call: Call, user: User, callback_url: str | None, at: Occasion) -> None:
        if user.email_verified or at not in self.send_at:
            return
        try:
            link = call.link("/verify-email", callbackURL=callback_url)
        except Forbidden as error:  # who signs up cannot help that
            logger.error("no link was sent: %s", error.message)
            return
        self._send_later(user.email, link)

    def _send_later(self, email: str, link: str) -> None:
        async def send() -> None:
            user = await self.context.users.find_by_email(email)
            if user is None or user.email_verified:
                return
            if not await self.context.proofs.may_send(Purpose.VERIFY_EMAIL, email):
                return
            token = await self.context.proofs.issue(
                Purpose.VERIFY_EMAIL, f"{user.id} {user.email}", self.lifetime
            )
            url = Redirect.to(link, token=token).location
            self.context.mail.send(MailKind.VERIFY_EMAIL, user.email, url=url, token=token)

        self.context.mail.later(MailKind.VERIFY_EMAIL, send)

    async def _follow(self, call: Call, token: str) -> Verified:
        """Do what the link is for. Raises ``Unauthorized`` (``INVALID_TOKEN``, ``INVALID_USER``)
        and ``UnprocessableEntity`` where the new address is somebody's by now."""
        value = await self.context.proofs.look(Purpose.VERIFY_EMAIL, token)
        if value is not None:
            user_id, email = value.split(" ")
            return await self._verify(call, await self._bound(user_id, email))
        value = await self.context.proofs.look(Purpose.CHANGE_EMAIL, token)
        if value is None:
            raise _invalid_token()
        user_id, old, new = value.split(" ")
        user = await self._bound(user_id, old)
        own = await self._own_session(call, user)
        if await self.context.proofs.redeem(Purpose.CHANGE_EMAIL, token) is None:
            raise _invalid_token()
        return await self._change(call, user, new, own)

    async def _verify(self, call: Call, user: User) -> Verified:
        """The link may be followed again, by a person after a machine that looks at their mail:
        but only the first time does something."""
        own = await self._own_session(call, user)
        if not user.email_verified:
            current = own.session if own else None
            try:
                user = await self.context.users.verify_email(user, current=current)
            except UnprocessableEntity:  # verified by another request meanwhile, or changed
                await self._bound(user.id, user.email)
                return Verified()
            if own is not None:
                await self._renew(call, Principal(own.session, user))
            elif self.auto_sign_in_after_verification and (
                await call.second_step(user, remember=True) is None
            ):
                await call.begin_session(user)
        return Verified()

    async def _change(self, call: Call, user: User, new: str, own: Principal | None) -> Verified:
        old = user.email
        changes = {"email": new, "email_verified": True}
        user = await self.context.users.update(user, changes, still={"email": old})
        await self.context.sessions.end_after(
            Change.EMAIL_CHANGED, user.id, current=own.session if own else None
        )
        if own is not None:
            await self._renew(call, Principal(own.session, user))
        self.context.mail.send(MailKind.EMAIL_CHANGED, old, details={"new_email": new})
        return Verified(user=user)

    async def _bound(self, user_id: str, email: str) -> User:
        """The user the link was made for, whose address is still that one."""
        user = await self.context.users.find(user_id)
        if user is None or user.email != email:
            raise _invalid_token()
        return user

    async def _own_session(self, call: Call, user: User) -> Principal | None:
        """The session of ``user`` in the browser that followed the link, if there is one."""
        caller = await call.principal()
        if caller is not None and caller.user.id != user.id:
            raise Unauthorized("Somebody else is signed in here", "INVALID_USER")
        return caller

    async def _renew(self, call: Call, own: Principal) -> None:
        """A new token for a session that stays; only a browser is told of it by a link."""
        credential = call.wire.credential(call.request)
        if credential is not None and credential.source == "cookie":
            await call.renew_session(own)


def _invalid_token() -> Unauthorized:
    return Unauthorized("The link is not, or no longer, good", "INVALID_TOKEN")
