"""What the endpoints of sign-in through providers take and answer."""

from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints, field_validator

from better_auth.clock import UtcDatetime
from better_auth.http.body import Input
from better_auth.models import Fields, User

Scope = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5B\x5D-\x7E]{1,256}$")]
"""RFC 6749 section 3.3."""

Parameter = Annotated[str, StringConstraints(min_length=1, max_length=1024)]

_OURS = frozenset(
    {"client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri"}
    | {"response_mode", "response_type", "scope", "state"}
)
"""What an authorization request says that no client may say instead."""

_LONGEST_URL = 2048
_LONGEST_TOKEN = 16 * 1024


def _url(alias: str) -> str | None:
    url: str | None = Field(default=None, alias=alias, max_length=_LONGEST_URL)
    return url


class ProviderName(Input):
    """What a client's SDK was told by the person who signs in for the first time (Apple)."""

    first_name: str | None = Field(default=None, max_length=255)
    last_name: str | None = Field(default=None, max_length=255)


class ProviderUser(Input):
    """What the provider told the client of the person, beside the token."""

    name: ProviderName | None = None


class DirectIdToken(Input):
    """An ID token that the client got from the provider by itself."""

    token: str = Field(min_length=1, max_length=_LONGEST_TOKEN, repr=False)
    nonce: str | None = Field(default=None, max_length=512, repr=False)
    access_token: str | None = Field(default=None, max_length=_LONGEST_TOKEN, repr=False)
    refresh_token: str | None = Field(default=None, max_length=_LONGEST_TOKEN, repr=False)
    user: ProviderUser | None = None


class _Begin(Input):
    provider: str = Field(max_length=64)
    callback_url: str | None = _url("callbackURL")
    error_callback_url: str | None = _url("errorCallbackURL")
    disable_redirect: bool = False
    id_token: DirectIdToken | None = None
    scopes: list[Scope] = Field(default=[], max_length=50)
    request_sign_up: bool = False
    login_hint: str | None = Field(default=None, max_length=320)
    additional_params: dict[Parameter, Parameter] = Field(default={}, max_length=20)

    @field_validator("additional_params")
    @classmethod
    def _not_ours(cls, value: dict[str, str]) -> dict[str, str]:
        if not _OURS.isdisjoint(value):
            raise ValueError("must not have what the request itself says")
        return value


class SignInSocial(_Begin):
    """Which provider to sign in with, and where to go afterwards."""

    new_user_callback_url: str | None = _url("newUserCallbackURL")


class LinkSocial(_Begin):
    """Which provider's account to link, and where to go afterwards."""


class Callback(Input):
    """What the provider sends the browser back with (RFC 6749 section 4.1.2, RFC 9207)."""

    code: str | None = Field(default=None, max_length=4096, repr=False)
    state: str | None = Field(default=None, max_length=256, repr=False)
    error: str | None = Field(default=None, max_length=1024)
    iss: str | None = Field(default=None, max_length=_LONGEST_URL)
    user: str | None = Field(default=None, max_length=4096, repr=False)


class SelectAccount(Input):
    """One of one's own accounts: by the id it has here or at the provider, or by provider."""

    account_id: str | None = Field(default=None, max_length=255)
    provider_id: str | None = Field(default=None, max_length=64)


class SocialUrl(Fields):
    """Where the browser is to go, and whether the client shall send it there."""

    url: str
    redirect: bool


class SocialSession(Fields):
    """The session's token and its user."""

    redirect: bool = False
    token: str
    url: str | None = None
    user: User


class SocialLinked(Fields):
    """The account is linked."""

    url: str = ""
    redirect: bool = False
    status: bool = True


class AccessToken(Fields):
    """A provider's access token that is good now."""

    access_token: str = Field(repr=False)
    access_token_expires_at: UtcDatetime | None
    scopes: list[str]
    id_token: str | None = Field(repr=False)


class RefreshedTokens(Fields):
    """A provider's tokens, just refreshed."""

    access_token: str = Field(repr=False)
    refresh_token: str | None = Field(repr=False)
    access_token_expires_at: UtcDatetime | None
    refresh_token_expires_at: UtcDatetime | None
    scope: str | None
    id_token: str | None = Field(repr=False)
    provider_id: str
    account_id: str


class ProviderProfile(Fields):
    """Who somebody is at the provider, in our words."""

    id: str
    name: str
    email: str | None
    image: str | None
    email_verified: bool


class ProviderAccount(Fields):
    """Which account that is."""

    id: str
    provider_id: str
    account_id: str


class AccountInfo(Fields):
    """Who somebody is at the provider, and all that it said."""

    user: ProviderProfile
    data: dict[str, JsonValue]
    account: ProviderAccount
