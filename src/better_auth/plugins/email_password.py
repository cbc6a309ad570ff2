"""Sign-up and sign-in with e-mail address and password."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo

from better_auth.crypto import PasswordPolicy
from better_auth.crypto.password_policy import IsBreached
from better_auth.errors import BadRequest, Unauthorized
from better_auth.events import SignedUp, SignedUpAgain
from better_auth.http.body import Input
from better_auth.http.call import Call, Challenge, Context
from better_auth.http.endpoints import Endpoint, post
from better_auth.models import Fields, User
from better_auth.plugins.base import Plugin
from better_auth.plugins.own_fields import settable_by_users, with_fields
from better_auth.plugins.password_sign_in import SignInResult, sign_in_with_password
from better_auth.users import EmailTaken, normalize_email


def not_blank(text: str) -> str:
    """A name that can be seen, for Pydantic."""
    if not text.strip():
        raise ValueError("must not be blank")
    return text


class SignUpEmail(Input):
    """Who signs up. An application's own ``User`` fields join these."""

    name: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(not_blank)]
    email: str = Field(min_length=1, max_length=320, json_schema_extra={"format": "email"})
    password: str = Field(repr=False, json_schema_extra={"format": "password"})
    image: str | None = Field(default=None, max_length=2048)
    remember_me: bool = True
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)


class SignInEmail(Input):
    """Who signs in."""

    email: str = Field(min_length=1, max_length=320, json_schema_extra={"format": "email"})
    password: str = Field(repr=False, json_schema_extra={"format": "password"})
    remember_me: bool = True
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)


class SignUpResult(Fields):
    """The new user; ``token`` is null where signing up does not sign in."""

    token: str | None
    user: User


class EmailPasswordPlugin(Plugin):
    """``POST /sign-up/email`` and ``POST /sign-in/email``.

    ``enable_signup=False`` takes sign-up away (400). ``require_email_verification`` refuses to sign
    in (403) until the user's address is verified. ``auto_sign_in=False`` makes sign-up a
    sign-up only. Both make sign-up answer alike whether or not the address is taken, with a user
    who then is not there; its owner is told (``SignedUpAgain``).

    Password lengths count characters; ``refuse_common_passwords`` refuses the 10,000 commonest,
    and ``is_breached`` (``HaveIBeenPwned()``) is asked of every password that is chosen.
    """

    name = "E-mail and password"

    def __init__(
        self,
        *,
        enable_signup: bool = True,
        require_email_verification: bool = False,
        password_min_length: int = 8,
        password_max_length: int = 128,
        auto_sign_in: bool = True,
        refuse_common_passwords: bool = True,
        is_breached: IsBreached | None = None,
    ) -> None:
        self.enable_signup = enable_signup
        self.require_email_verification = require_email_verification
        self.password_policy = PasswordPolicy(
            min_length=password_min_length,
            max_length=password_max_length,
            refuse_common=refuse_common_passwords,
            is_breached=is_breached,
        )
        self.auto_sign_in = auto_sign_in
        self._own_fields: dict[str, FieldInfo] = {}

    def bind(self, context: Context) -> None:
        super().bind(context)
        context.users.password_policy = self.password_policy
        context.users.require_verified_email = self.require_email_verification
        self._own_fields = settable_by_users(context)

    def endpoints(self) -> Iterable[Endpoint]:
        for endpoint in super().endpoints():
            if endpoint.body is SignUpEmail:
                endpoint = replace(endpoint, body=with_fields(SignUpEmail, self._own_fields))
            yield endpoint

    @post("/sign-up/email", takes_credentials=True, errors=(403, 422))
    async def sign_up(self, call: Call, body: SignUpEmail) -> SignUpResult:
        """Create a user with a password, and sign them in."""
        if not self.enable_signup:
            raise BadRequest("Signing up is not enabled", "SIGN_UP_DISABLED")
        self.context.origins.check_redirect(body.callback_url, call.request, "callbackURL")
        email = normalize_email(body.email)
        await self.context.users.check_new_password(body.password)
        # Hashed before the address is looked at: a taken one answers in the same time.
        password_hash = await self.context.passwords.hash(body.password)
        is_discreet = not self.auto_sign_in or self.require_email_verification
        try:
            user = await self.context.users.create(
                name=body.name,
                email=email,
                password_hash=password_hash,
                image=body.image,
                fields={name: getattr(body, name) for name in self._own_fields},
            )
        except EmailTaken as error:
            if not is_discreet:
                raise
            await self._told_again(email)
            return SignUpResult(token=None, user=error.user)
        await self.context.events.emit(SignedUp(user))
        call.ask_to_verify(user, body.callback_url, "sign-up")
        if is_discreet:
            return SignUpResult(token=None, user=user)
        session = await call.begin_session(user, remember=body.remember_me)
        return SignUpResult(token=session.token, user=user)

    @post("/sign-in/email", takes_credentials=True, errors=(401, 403))
    async def sign_in(self, call: Call, body: SignInEmail) -> SignInResult | Challenge:
        """Begin a session with e-mail address and password.

        An unknown address and a wrong password get the same answer in the same time.
        """
        self.context.origins.check_redirect(body.callback_url, call.request, "callbackURL")
        return await sign_in_with_password(
            call,
            await self.context.users.find_by_email(normalize_email(body.email)),
            body.password,
            method="email",
            remember=body.remember_me,
            callback_url=body.callback_url,
            wrong=Unauthorized("Invalid e-mail address or password", "INVALID_EMAIL_OR_PASSWORD"),
        )

    async def _told_again(self, email: str) -> None:
        """Tell that somebody tried to sign up with an address that is taken."""
        owner = await self.context.users.find_by_email(email)
        if owner is not None:
            await self.context.events.emit(SignedUpAgain(owner))
