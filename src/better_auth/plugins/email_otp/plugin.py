"""Short codes sent to an address: to sign in or up, to verify it, to reset a password, to change
to it.

A code is bound to its address and to what it is for, and good once. Each attempt is paid for
before the code is looked at; asking for another code buys none (``better_auth.proofs``). What an
answer tells, and when, is the same whether or not there is such a user.

Anybody can ask for codes to an address, and use up its attempts. A browser in which a code was
right before has a cookie that says so, and there its owner has mail and attempts that no stranger
can use up (OWASP: device cookies).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from pydantic.fields import FieldInfo

from better_auth.crypto import Purpose
from better_auth.endings import Change
from better_auth.errors import AuthError, BadRequest, ConfigurationError, Forbidden, TooManyRequests
from better_auth.events import SignedUp
from better_auth.http.call import Call, Challenge, Context, Occasion
from better_auth.http.endpoints import Endpoint, post
from better_auth.mail import MailKind, Send
from better_auth.models import User
from better_auth.plugins.base import Plugin
from better_auth.plugins.email_otp.messages import (
    Address,
    CodeFor,
    CodeType,
    Done,
    NewAddress,
    NewAddressOtp,
    Otp,
    OtpFor,
    ResetOtp,
    SignedInByCode,
    SignInOtp,
    VerifiedByCode,
)
from better_auth.plugins.own_fields import settable_by_users, with_optional
from better_auth.users import EmailTaken, normalize_email

KINDS: dict[CodeType, MailKind] = {
    "sign-in": MailKind.SIGN_IN_CODE,
    "email-verification": MailKind.VERIFY_EMAIL_CODE,
    "forget-password": MailKind.RESET_PASSWORD_CODE,
    "change-email": MailKind.CHANGE_EMAIL_CODE,
}


COOKIE = "email-code"
KNOWN_FOR = timedelta(days=180)
"""How long a browser is known in which a code was right."""


class EmailOtpPlugin(Plugin):
    """Signing in and more by codes sent to one's address: ``/email-otp/...``,
    ``/sign-in/email-otp``.

    Codes go out by the application's mail, or by ``send``, have ``digits`` digits and are good for
    ``expires_in``, with ``attempts`` in 15 minutes; an address is sent at most five in that time.
    ``disable_sign_up`` signs in only users there are, ``sign_in_after_verification`` whoever
    verifies an address, ``send_on_sign_up`` sends a code to whoever signs up another way.
    ``enable_change_email`` brings the two endpoints that change an address.
    ``skip_second_factor=True`` trusts the mailbox as if it were two factors.
    """

    name = "E-mail codes"

    def __init__(
        self,
        *,
        send: Send | None = None,
        digits: int = 6,
        expires_in: timedelta = timedelta(minutes=5),
        attempts: int = 3,
        disable_sign_up: bool = False,
        sign_in_after_verification: bool = False,
        send_on_sign_up: bool = False,
        enable_change_email: bool = False,
        skip_second_factor: bool = False,
    ) -> None:
        """Raises ``ConfigurationError`` for codes too short, or never good."""
        if not 6 <= digits <= 12:
            raise ConfigurationError("EmailOtpPlugin: digits must be 6 to 12")
        if attempts < 1 or expires_in <= timedelta(0):
            raise ConfigurationError("EmailOtpPlugin: attempts and expires_in must be above zero")
        self.send = send
        self.digits = digits
        self.expires_in = expires_in
        self.attempts = attempts
        self.disable_sign_up = disable_sign_up
        self.sign_in_after_verification = sign_in_after_verification
        self.send_on_sign_up = send_on_sign_up
        self.enable_change_email = enable_change_email
        self.skip_second_factor = skip_second_factor
        self._own_fields: dict[str, FieldInfo] = {}

    def bind(self, context: Context) -> None:
        super().bind(context)
        self._own_fields = settable_by_users(context)
        for kind in KINDS.values():
            context.mail.route(kind, self.send, needed_by=type(self).__name__)
        if self.send_on_sign_up:
            context.verifiers.append(self._ask)
        if not self.disable_sign_up:
            context.users.refuse_required_fields(type(self).__name__)

    def endpoints(self) -> Iterable[Endpoint]:
        for endpoint in super().endpoints():
            if endpoint.body is SignInOtp:
                endpoint = replace(endpoint, body=with_optional(SignInOtp, self._own_fields))
            if self.enable_change_email or "change" not in endpoint.route.path:
                yield endpoint

    # Sending

    @post("/email-otp/send-verification-otp", takes_credentials=True, sends_mail=True)
    async def send_code(self, call: Call, body: CodeFor) -> Done:
        """Send a code to sign in, to verify an address, or to reset a password."""
        if body.type == "change-email":
            raise BadRequest("Ask by /email-otp/request-email-change", "INVALID_OTP_TYPE")
        self._ask_for(call, body.type, body.email)
        return Done(success=True)

    @post("/email-otp/request-password-reset", takes_credentials=True, sends_mail=True)
    @post("/forget-password/email-otp", takes_credentials=True, sends_mail=True)
    async def request_password_reset(self, call: Call, body: Address) -> Done:
        """Send a code to reset a password with."""
        self._ask_for(call, "forget-password", body.email)
        return Done(success=True)

    def _ask(self, call: Call, user: User, callback_url: str | None, at: Occasion) -> None:
        if at == "sign-up" and not user.email_verified:
            self._ask_for(call, "email-verification", user.email)

    def _ask_for(self, call: Call, kind: CodeType, text: str) -> None:
        email = normalize_email(text)
        subject = _in_known_browser(email) if self._knows(call, email) else email
        self._send_later(kind, email, subject, counted=subject)

    def _send_later(self, kind: CodeType, email: str, subject: str, *, counted: str) -> None:
        """Make a code for ``subject`` and send it, after the answer, as often as ``counted`` may
        be written to.

        A code is made for an address that nobody has, too, so that it can be tried like any.
        """

        async def send() -> None:
            purpose = _purpose(kind)
            if not await self.context.proofs.may_send(purpose, counted):
                return
            code = await self.context.proofs.issue_code(
                purpose, subject, self.expires_in, digits=self.digits
            )
            user = await self.context.users.find_by_email(email)
            if kind == "sign-in":
                is_meant = user is not None or not self.disable_sign_up
            else:
                is_meant = (user is None) == (kind == "change-email")
            if is_meant:
                self.context.mail.send(KINDS[kind], email, code=code)

        self.context.mail.later(KINDS[kind], send)

    # Using

    @post("/email-otp/check-verification-otp", takes_credentials=True, errors=(403,))
    async def check_code(self, call: Call, body: OtpFor) -> Done:
        """Tell whether a code is right, and leave it to be used; a wrong one is an attempt."""
        email = normalize_email(body.email)
        await self._try_sent(call, body.type, email, body.otp, keep=True)
        await self._owner(email)
        return Done(success=True)

    @post("/sign-in/email-otp", takes_credentials=True, errors=(401, 403, 422))
    async def sign_in(self, call: Call, body: SignInOtp) -> SignedInByCode | Challenge:
        """Sign in, or up, with the code that was sent."""
        email = normalize_email(body.email)
        try:
            await self._try_sent(call, "sign-in", email, body.otp)
        except (BadRequest, Forbidden) as error:
            await call.sign_in_failed("e-mail code", error.code)
            raise
        user = await self._found_or_new(email, body)
        if not self.skip_second_factor:
            challenge = await call.second_step(user, remember=body.remember_me)
            if challenge is not None:
                return challenge
        session = await call.begin_session(user, remember=body.remember_me)
        return SignedInByCode(token=session.token, user=user)

    async def _found_or_new(self, email: str, body: SignInOtp) -> User:
        """Whose address it is. Raises ``BadRequest`` where nobody may sign up."""
        users = self.context.users
        user = await users.find_by_email(email)
        if user is None:
            if self.disable_sign_up:
                raise BadRequest("The code is wrong", "INVALID_OTP")
            try:
                user = await users.create(
                    name=body.name or "",
                    email=email,
                    email_verified=True,
                    image=body.image,
                    fields={
                        name: getattr(body, name)
                        for name in self._own_fields.keys() & body.model_fields_set
                    },
                )
            except EmailTaken:  # by another way of signing up, meanwhile
                user = await self._owner(email)
            else:
                await self.context.events.emit(SignedUp(user))
        return await users.claim_email(user)

    @post("/email-otp/verify-email", takes_credentials=True, errors=(403, 422))
    async def verify_email(self, call: Call, body: Otp) -> VerifiedByCode | Challenge:
        """Show that one reads mail to one's address.

        The first time, the user's sessions end, but for the one that asks.
        """
        email = normalize_email(body.email)
        await self._try_sent(call, "email-verification", email, body.otp)
        user = await self._owner(email)
        caller = await call.principal()
        own = caller.session if caller is not None and caller.user.id == user.id else None
        user = await self.context.users.verify_email(user, current=own)
        token = None
        if self.sign_in_after_verification and own is None:
            challenge = await call.second_step(user, remember=True)
            if challenge is not None:
                return challenge
            token = (await call.begin_session(user)).token
        return VerifiedByCode(status=True, token=token, user=user)

    @post("/email-otp/reset-password", takes_credentials=True, errors=(403, 422))
    async def reset_password(self, call: Call, body: ResetOtp) -> Done:
        """Choose another password; all sessions end."""
        email = normalize_email(body.email)
        users = self.context.users
        await users.check_new_password(body.password)
        await self._try_sent(call, "forget-password", email, body.otp, keep=True)
        password_hash = await self.context.passwords.hash(body.password)
        await self._try_sent(call, "forget-password", email, body.otp)
        user = await users.claim_email(await self._owner(email))
        await users.give_password(user, password_hash)
        await self.context.sessions.end_after(Change.PASSWORD_RESET, user.id)
        self.context.mail.send(MailKind.PASSWORD_CHANGED, user.email)
        return Done(success=True)

    @post("/email-otp/request-email-change", access="session", sends_mail=True)
    async def request_email_change(self, call: Call, body: NewAddress) -> Done:
        """Send a code to the address to have from now on."""
        caller = await call.require_fresh()
        email = self._other_address(caller.user, body.new_email)
        subject = f"{caller.user.id}:{email}"
        self._send_later("change-email", email, subject, counted=email)
        return Done(success=True)

    @post("/email-otp/change-email", access="session", takes_credentials=True, errors=(422,))
    async def change_email(self, call: Call, body: NewAddressOtp) -> Done:
        """Have another address, which the code was sent to; the old one is told."""
        caller = await call.require_fresh()
        old, email = caller.user.email, self._other_address(caller.user, body.new_email)
        await self._try("change-email", f"{caller.user.id}:{email}", body.otp)
        changes = {"email": email, "email_verified": True}
        user = await self.context.users.update(caller.user, changes, still={"email": old})
        await self.context.sessions.end_after(Change.EMAIL_CHANGED, user.id, current=caller.session)
        await call.renew_session(replace(caller, user=user))
        self.context.mail.send(MailKind.EMAIL_CHANGED, old)
        return Done(success=True)

    @staticmethod
    def _other_address(user: User, text: str) -> str:
        email = normalize_email(text)
        if email == user.email:
            raise BadRequest("That is the address already", "EMAIL_IS_THE_SAME")
        return email

    async def _owner(self, email: str) -> User:
        """The user with this address, told only to who reads its mail. Raises ``BadRequest``."""
        user = await self.context.users.find_by_email(email)
        if user is None:
            raise BadRequest("There is no such user", "USER_NOT_FOUND")
        return user

    async def _try_sent(
        self, call: Call, kind: CodeType, email: str, code: str, *, keep: bool = False
    ) -> None:
        """Try the code sent to ``email``: what a browser that is known asked for, else what anybody
        did. Using it makes the browser known."""
        subjects = [_in_known_browser(email), email] if self._knows(call, email) else [email]
        refusals: list[AuthError] = []
        for subject in subjects:  # it may have been asked for elsewhere
            try:
                await self._try(kind, subject, code, keep=keep)
                break
            except (BadRequest, Forbidden) as error:
                refusals.append(error)
        else:
            raise refusals[0]
        if not keep:
            known = self.context.keyring.fingerprint(Purpose.EMAIL_CODE_BROWSER, email)
            call.set_plugin_cookie(COOKIE, known, KNOWN_FOR)

    def _knows(self, call: Call, email: str) -> bool:
        """Whether a code sent to ``email`` was right in the calling browser before."""
        known = call.cookie(COOKIE) or ""
        return self.context.keyring.is_fingerprint(Purpose.EMAIL_CODE_BROWSER, email, known)

    async def _try(self, kind: CodeType, subject: str, code: str, *, keep: bool = False) -> None:
        """Use up the code sent to ``subject``, or with ``keep`` look whether it is right.

        Raises ``BadRequest`` and, when all attempts were made, ``Forbidden``.
        """
        proofs = self.context.proofs
        attempt = proofs.check_code if keep else proofs.redeem_code
        try:
            await attempt(_purpose(kind), subject, "".join(code.split()), attempts=self.attempts)
        except TooManyRequests as error:
            raise Forbidden(error.message, error.code) from None


def _in_known_browser(email: str) -> str:
    """The subject of codes that a known browser asked for; no address is spelled so."""
    return f"{email}\nin a known browser"


def _purpose(kind: CodeType) -> str:
    return f"{Purpose.EMAIL_CODE} {kind}"
