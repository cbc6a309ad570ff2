"""Sign-in with a second factor."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TypeAlias

import segno

from better_auth.adapters.base import gt, in_
from better_auth.crypto import Purpose
from better_auth.endings import Change
from better_auth.errors import BadRequest, Unauthorized, UniqueViolation
from better_auth.events import SecurityChanged, on
from better_auth.http.call import Call, Challenge, Context
from better_auth.http.endpoints import get, post
from better_auth.mail import MailKind
from better_auth.models import User
from better_auth.plugins.base import Plugin
from better_auth.plugins.password_sign_in import proven_again
from better_auth.plugins.two_factor.attempts import (
    ATTEMPTS_PER_SIGN_IN,
    Attempts,
    challenge_gone,
    forgiven,
    spent,
)
from better_auth.plugins.two_factor.codes import Check, Codes
from better_auth.plugins.two_factor.devices import COOKIE as DEVICE_COOKIE
from better_auth.plugins.two_factor.devices import TrustedDevices
from better_auth.plugins.two_factor.messages import (
    BackupCodeInput,
    BackupCodes,
    ConfirmingCode,
    DeviceId,
    DeviceList,
    Enrolment,
    Renewed,
    Sent,
    SignedIn,
    ToDisable,
    TotpUri,
    WithPassword,
    WithPasswordForUri,
)
from better_auth.plugins.two_factor.pending import Pending, SignedInAlready, answer, settle
from better_auth.plugins.two_factor.records import (
    BackupCode,
    PendingSignIn,
    TrustedDevice,
    TwoFactor,
    TwoFactorFields,
)

COOKIE = "two-factor"
TOKEN_PREFIX = "2fa_"

SendOtp: TypeAlias = Callable[[User, str], Awaitable[None]]
"""Delivers a one-time code to a user, by mail or message."""


class TwoFactorPlugin(Plugin):
    """A second factor after every password: TOTP, a code that is sent, or a backup code.

    ``send_otp`` delivers one-time codes; without it they go by ``BetterAuth(mail=...)``, and
    without that ``/two-factor/send-otp`` is refused.
    Who signs in without a password sets it up, and takes it off, from a fresh session.
    ``issuer`` is the name authenticator apps show. ``challenge_lifetime`` is how long a sign-in
    waits for its second factor, ``otp_lifetime`` how long a sent code is good,
    ``trust_lifetime`` how long a device stays trusted.
    """

    name = "Two-factor"
    records = (TwoFactor, BackupCode, PendingSignIn, TrustedDevice)
    user_fields = TwoFactorFields

    def __init__(
        self,
        *,
        send_otp: SendOtp | None = None,
        issuer: str = "better_auth",
        challenge_lifetime: timedelta = timedelta(minutes=10),
        otp_lifetime: timedelta = timedelta(minutes=3),
        trust_lifetime: timedelta = timedelta(days=30),
    ) -> None:
        self.send_otp_to = send_otp
        self.issuer = issuer
        self.challenge_lifetime = challenge_lifetime
        self.otp_lifetime = otp_lifetime
        self.trust_lifetime = trust_lifetime

    def bind(self, context: Context) -> None:
        super().bind(context)
        self._codes = Codes(context.keyring, self.issuer)
        self._attempts = Attempts(context.database)
        self._devices = TrustedDevices(context, self.trust_lifetime)
        context.second_steps.append(self._challenge)

    # Signing in

    async def _challenge(self, call: Call, user: User, remember: bool) -> Challenge | None:
        """Hold a password sign-in back until its second factor is proven."""
        if not is_enabled(user):
            return None
        if await self._devices.is_trusted(call, user.id):
            return None
        now = self.context.clock()
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        await self.context.database.insert(
            PendingSignIn(
                user_id=user.id,
                token_key=self.context.keyring.fingerprint(Purpose.TWO_FACTOR_CHALLENGE, token),
                remember=remember,
                created_at=now,
                expires_at=now + self.challenge_lifetime,
            )
        )
        call.set_plugin_cookie(COOKIE, token, self.challenge_lifetime)
        methods = ["totp", "otp"] if self._can_send else ["totp"]
        return Challenge(token=token, two_factor_methods=methods)

    @post("/two-factor/verify-totp", takes_credentials=True, errors=(401,))
    async def verify_totp(self, call: Call, body: ConfirmingCode) -> SignedIn:
        """Complete a sign-in, or confirm two-factor, with an authenticator app's code.

        The pending sign-in comes by cookie or as the Bearer token.
        """
        check = self._codes.totp(body.code.replace(" ", ""), self.context.clock())
        return await self._verify(
            call,
            await self._who(call),
            check,
            body.trust_device,
            keeps_sessions=not body.revoke_other_sessions,
        )

    @post("/two-factor/send-otp", takes_credentials=True, sends_mail=True, errors=(400, 401))
    async def send_otp(self, call: Call) -> Sent:
        """Send the user a one-time code, five in 15 minutes; the code sent before it is void."""
        if not self._can_send:
            raise BadRequest("Sending codes is not configured", "OTP_NOT_CONFIGURED")
        who = await self._who(call)
        now = self.context.clock()
        factor = await self._attempts.factor(who.user.id, now)
        await self.context.proofs.pay_to_send(Purpose.OTP, who.user.id)
        code, key = self._codes.new_otp(who.id)
        changes = {"otp_key": key, "otp_expires_at": now + self.otp_lifetime, "updated_at": now}
        await self.context.database.update(TwoFactor, changes, id=factor.id)
        if self.send_otp_to is not None:
            await self.send_otp_to(who.user, code)
        else:
            self.context.mail.send(MailKind.TWO_FACTOR_CODE, who.user.email, code=code)
        return Sent()

    @post("/two-factor/verify-otp", takes_credentials=True, errors=(401,))
    async def verify_otp(self, call: Call, body: ConfirmingCode) -> SignedIn:
        """Complete a sign-in, or confirm two-factor, with the code that was sent."""
        who = await self._who(call)
        check = self._codes.otp(body.code.strip(), who.id, self.context.clock())
        return await self._verify(
            call, who, check, body.trust_device, keeps_sessions=not body.revoke_other_sessions
        )

    @post("/two-factor/verify-backup-code", takes_credentials=True, errors=(401,))
    async def verify_backup_code(self, call: Call, body: BackupCodeInput) -> SignedIn:
        """Complete a sign-in with a backup code, which is void from then on."""
        who = await self._who(call)
        if isinstance(who, SignedInAlready) and not is_enabled(who.user):
            raise BadRequest("Confirm two-factor with another code first", "TWO_FACTOR_NOT_ENABLED")
        return await self._verify(
            call,
            who,
            self._codes.backup(body.code),
            body.trust_device,
            wrong="INVALID_BACKUP_CODE",
            begins_session=not body.disable_session,
        )

    async def _who(self, call: Call) -> Pending | SignedInAlready:
        """Whose code it is: a pending sign-in's, or else a live session's.

        Raises ``Unauthorized`` where it is neither, ``BadRequest`` where all attempts are spent,
        ``Forbidden`` for an impersonator.
        """
        credential = call.wire.credential(call.request)
        is_bearer = credential is not None and credential.source == "bearer"
        token = credential.token if credential and is_bearer else call.cookie(COOKIE)
        if token and token.startswith(TOKEN_PREFIX) and token.isascii():
            keys = self.context.keyring.fingerprints(Purpose.TWO_FACTOR_CHALLENGE, token)
            sign_in = await self.context.database.find_one(
                PendingSignIn,
                token_key=in_(keys),
                expires_at=gt(self.context.clock()),
            )
            if sign_in and sign_in.attempts >= ATTEMPTS_PER_SIGN_IN:
                call.clear_plugin_cookie(COOKIE)
                raise spent()
            user = sign_in and await self.context.users.find(sign_in.user_id)
            if sign_in and user:
                return Pending(sign_in, user)
            call.clear_plugin_cookie(COOKIE)
        if await call.principal() is None:
            raise challenge_gone()
        return SignedInAlready(await call.require_own())

    async def _verify(
        self,
        call: Call,
        who: Pending | SignedInAlready,
        check: Check,
        trust_device: bool,
        *,
        wrong: str = "INVALID_CODE",
        begins_session: bool = True,
        keeps_sessions: bool = True,
    ) -> SignedIn:
        """Pay for an attempt; if the code is right, spend it together with what it opens."""
        sign_in = who.sign_in if isinstance(who, Pending) else None
        factor = await self._attempts.pay(sign_in, who.user.id, self.context.clock())
        is_first = sign_in is None and not factor.verified
        async with self.context.database.transaction() as verbs:
            if is_first:
                await verbs.lock(User, who.user.id)
            is_right = await check(verbs, factor)
            if is_right:
                changes = forgiven() | ({"verified": True} if is_first else {})
                await verbs.update(TwoFactor, changes, id=factor.id)
                if sign_in is not None:
                    await answer(verbs, sign_in)
                if is_first:
                    await verbs.update(User, {"two_factor_enabled": True}, id=who.user.id)
        if not is_right:
            await call.sign_in_failed("two-factor", "wrong code", who.user.id)
            raise Unauthorized("The code is wrong", wrong)
        if not begins_session:
            if sign_in is not None:
                call.clear_plugin_cookie(COOKIE)
                await settle(self.context.database, sign_in)
            return SignedIn(token=None, user=who.user)
        if isinstance(who, Pending):
            call.clear_plugin_cookie(COOKIE)
            session = await call.begin_session(
                who.user,
                remember=who.sign_in.remember,
                unless=partial(settle, self.context.database, who.sign_in),
            )
            user = who.user
        else:
            user = who.user
            if is_first:
                user = user.revised(two_factor_enabled=True)
                await self.context.sessions.end_after(
                    Change.TWO_FACTOR_ENABLED,
                    user.id,
                    current=who.principal.session,
                    keep_sessions=keeps_sessions,
                )
            session = await call.renew_session(who.principal)
        if trust_device:
            await self._devices.trust(call, user.id)
        return SignedIn(token=session.token, user=user)

    # Setting it up

    @post("/two-factor/enable", access="session", takes_credentials=True)
    async def enable(self, call: Call, body: WithPasswordForUri) -> Enrolment:
        """Begin to use two-factor: a secret for an app, and backup codes.

        Nothing is asked at sign-in before a first code has been verified.
        """
        caller = await proven_again(call, body.password)
        if is_enabled(caller.user):
            raise _enabled_already()
        now = self.context.clock()
        old = await self.context.database.find_one(TwoFactor, user_id=caller.user.id)
        factor = TwoFactor(
            user_id=caller.user.id,
            sealed_secret="",
            failures=old.failures if old else 0,
            locked_until=old.locked_until if old else None,
            created_at=now,
            updated_at=now,
        )
        factor = factor.revised(sealed_secret=self._codes.new_secret(factor.id))
        shown, stored = self._codes.new_backup_codes(caller.user.id, now)
        try:
            async with self.context.database.transaction() as verbs:
                await verbs.lock(User, caller.user.id)
                await verbs.delete(TwoFactor, user_id=caller.user.id, verified=False)
                await verbs.delete(BackupCode, user_id=caller.user.id)
                await verbs.insert(factor)
                for record in stored:
                    await verbs.insert(record)
        except UniqueViolation:  # the one before was confirmed meanwhile
            raise _enabled_already() from None
        session = await call.renew_session(caller)
        uri = self._codes.uri(factor, caller.user.email)
        return Enrolment(
            totp_uri=uri, backup_codes=shown, qr_code=_svg(uri, body.qr_code), token=session.token
        )

    @post("/two-factor/disable", access="session", takes_credentials=True)
    async def disable(self, call: Call, body: ToDisable) -> Renewed:
        """Ask for no second factor any longer; trusted devices and backup codes are void."""
        caller = await proven_again(call, body.password)
        user_id = caller.user.id
        async with self.context.database.transaction() as verbs:
            await verbs.lock(User, user_id)
            await verbs.delete(TwoFactor, user_id=user_id)
            await verbs.delete(BackupCode, user_id=user_id)
            await verbs.update(User, {"two_factor_enabled": False}, id=user_id)
        await self.context.sessions.end_after(
            Change.TWO_FACTOR_DISABLED,
            user_id,
            current=caller.session,
            keep_sessions=not body.revoke_other_sessions,
        )
        call.clear_plugin_cookie(DEVICE_COOKIE)
        session = await call.renew_session(caller)
        return Renewed(token=session.token)

    @post("/two-factor/get-totp-uri", access="session", takes_credentials=True)
    async def get_totp_uri(self, call: Call, body: WithPasswordForUri) -> TotpUri:
        """Show the secret again, for another authenticator app."""
        caller = await proven_again(call, body.password)
        factor = await self._attempts.factor(
            caller.user.id, self.context.clock(), missing="TOTP_NOT_ENABLED"
        )
        uri = self._codes.uri(factor, caller.user.email)
        return TotpUri(totp_uri=uri, qr_code=_svg(uri, body.qr_code))

    @post("/two-factor/generate-backup-codes", access="session", takes_credentials=True)
    async def generate_backup_codes(self, call: Call, body: WithPassword) -> BackupCodes:
        """Replace the backup codes."""
        caller = await proven_again(call, body.password)
        user_id = caller.user.id
        await self._attempts.factor(user_id, self.context.clock())
        shown, stored = self._codes.new_backup_codes(user_id, self.context.clock())
        async with self.context.database.transaction() as verbs:
            await verbs.lock(User, user_id)
            await verbs.delete(BackupCode, user_id=user_id)
            for record in stored:
                await verbs.insert(record)
        return BackupCodes(backup_codes=shown)

    @get("/two-factor/list-trusted-devices", access="session")
    async def list_trusted_devices(self, call: Call) -> DeviceList:
        """List the devices that need no second factor."""
        caller = await call.require()
        return DeviceList(devices=await self._devices.list_for(caller.user.id))

    @post("/two-factor/revoke-trusted-device", access="session")
    async def revoke_trusted_device(self, call: Call, body: DeviceId) -> Sent:
        """Trust a device no longer."""
        caller = await call.require()
        await self._devices.revoke(caller.user.id, body.id)
        return Sent()

    async def read_backup_codes(self, user_id: str) -> list[str]:
        """A user's unused backup codes. For the application's own code only: no endpoint."""
        records = await self.context.database.find(BackupCode, user_id=user_id)
        opened = [self._codes.open_backup_code(record) for record in records]
        return [code for code in opened if code is not None]

    @property
    def _can_send(self) -> bool:
        return self.send_otp_to is not None or self.context.mail.tells(MailKind.TWO_FACTOR_CODE)

    @on(SecurityChanged)
    async def end_what_ends(self, event: SecurityChanged) -> None:
        """Pending sign-ins and trusted devices that do not survive a change to their user."""
        if event.ending.challenges:
            await self.context.database.delete(PendingSignIn, user_id=event.user_id)
        if event.change is Change.EMAIL_CLAIMED:  # the factor is that of whoever was there before
            await self.context.database.delete(TwoFactor, user_id=event.user_id)
            await self.context.database.delete(BackupCode, user_id=event.user_id)
            await self.context.database.update(
                User, {"two_factor_enabled": False}, id=event.user_id
            )
        if event.ending.trusted_devices:
            await self._devices.revoke_all(event.user_id)


def is_enabled(user: User) -> bool:
    """Whether signing in as ``user`` takes a second factor."""
    return isinstance(user, TwoFactorFields) and user.two_factor_enabled


def _enabled_already() -> BadRequest:
    return BadRequest("Two-factor is enabled already", "TWO_FACTOR_ALREADY_ENABLED")


def _svg(uri: str, wanted: bool) -> str | None:
    return segno.make(uri, error="m").svg_inline(scale=4) if wanted else None
