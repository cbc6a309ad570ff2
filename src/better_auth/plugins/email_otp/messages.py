"""What the endpoints of codes take and answer."""

from typing import Literal, TypeAlias

from pydantic import Field

from better_auth.http.body import Input
from better_auth.models import Fields, User

CodeType: TypeAlias = Literal["sign-in", "email-verification", "forget-password", "change-email"]


class Address(Input):
    """Whom it is about."""

    email: str = Field(min_length=1, max_length=320, json_schema_extra={"format": "email"})


class CodeFor(Address):
    """Who is to be sent a code, and what for."""

    type: CodeType


class Otp(Address):
    """The code that was sent to an address."""

    otp: str = Field(min_length=1, max_length=64, repr=False)


class OtpFor(Otp):
    """The same, and what it was for."""

    type: CodeType


class SignInOtp(Otp):
    """Who signs in; ``name``, ``image`` and an application's own ``User`` fields are for whoever
    is new."""

    name: str | None = Field(default=None, max_length=255)
    image: str | None = Field(default=None, max_length=2048)
    remember_me: bool = True


class ResetOtp(Otp):
    """The code, and the password to have from now on."""

    password: str = Field(repr=False, json_schema_extra={"format": "password"})


class NewAddress(Input):
    """The address to have from now on."""

    new_email: str = Field(min_length=1, max_length=320, json_schema_extra={"format": "email"})


class NewAddressOtp(NewAddress):
    """The code that was sent to the new address."""

    otp: str = Field(min_length=1, max_length=64, repr=False)


class Done(Fields):
    """It was done."""

    success: bool


class SignedInByCode(Fields):
    """The session's token and its user."""

    token: str
    user: User


class VerifiedByCode(Fields):
    """The user, whose address is verified; ``token`` where that signed them in."""

    status: bool
    token: str | None
    user: User
