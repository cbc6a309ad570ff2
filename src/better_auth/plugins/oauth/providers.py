"""A provider is data: where its endpoints are, what it is asked and how its answers are read."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from better_auth.config import explain
from better_auth.errors import ConfigurationError

TokenAuth = Literal["client_secret_basic", "client_secret_post", "none"]
"""How a client proves at the token endpoint who it is (RFC 6749 section 2.3)."""

ASYMMETRIC = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
"""Algorithms an ID token may be signed with; ``none`` and shared secrets are never among them."""

_ID = re.compile(r"[a-z0-9][a-z0-9_\-]{0,62}")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            name = values.get("id")
            where = f"{name}: " if isinstance(name, str) else ""
            raise ConfigurationError(f"provider {where}{explain(error)}") from None


class Claims(_Data):
    """Where in a provider's answer what is said of somebody.

    A place is a path such as ``data.id`` or ``images.0.url``.
    """

    id: str = "sub"
    """What names the account at the provider, and never changes."""
    email: str = "email"
    email_verified: str | bool = "email_verified"
    """Whether the provider vouches for the address: a place, or always or never."""
    verified_emails: tuple[str, ...] = ()
    """Places of lists of addresses the provider vouches for."""
    name: tuple[str, ...] = ("name", "preferred_username", "nickname")
    """The first that is there counts."""
    image: str = "picture"
    """A place, or a URL with places in braces."""


class SigningKey(_Data):
    """A key that mints the client secret as a JWT for each request (Apple's way)."""

    issuer: str
    """The team's id."""
    key_id: str
    private_key: str = Field(repr=False)
    """PEM of an EC key on P-256."""
    audience: str = "https://appleid.apple.com"


class Provider(_Data):
    """One provider, as an application registered with it.

    With an ``issuer`` and no endpoints it is an OpenID provider whose metadata are read from
    ``issuer/.well-known/openid-configuration``. With endpoints nothing is looked up.
    """

    id: str
    """How it is called in paths and stored with accounts: ``google``."""
    name: str = ""
    """For people."""
    client_id: str
    client_secret: str | None = Field(default=None, repr=False)
    signing_key: SigningKey | None = None
    """In place of ``client_secret``."""

    issuer: str | None = None
    """Of its ID tokens; ``{tid}`` in it stands for the token's own claim of that name."""
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    jwks_uri: str | None = None
    email_list_endpoint: str | None = None
    """Where a list of ``{email, primary, verified}`` is, if not in the profile (GitHub)."""

    scopes: tuple[str, ...] = ("openid", "email", "profile")
    claims: Claims = Claims()
    token_auth: TokenAuth | None = None
    """None: what its metadata prefer, else ``client_secret_basic``."""
    pkce: bool = True
    """Send an S256 challenge (RFC 7636); off only for those who refuse one."""
    nonce: bool = True
    """Bind the ID token to the sign-in (OpenID Connect Core 3.1.2.1)."""
    authorization_params: Mapping[str, str] = {}
    """Sent along with every authorization request, such as ``{"access_type": "offline"}``."""
    response_mode: Literal["query", "form_post"] = "query"
    sends_issuer: bool = False
    """Names itself as ``iss`` when it sends the browser back (RFC 9207), and must then."""
    redirect_uri: str | None = None
    """Where the provider sends the browser back to; None: ``base_url`` and the callback's path."""

    id_token_issuers: tuple[str, ...] = ()
    """Other spellings of ``issuer`` in its ID tokens."""
    id_token_algorithms: tuple[str, ...] = ASYMMETRIC
    id_token_nonce_hash: bool = False
    """The ``nonce`` of a token handed in directly may be the SHA-256 of the one given (Apple)."""
    audiences: tuple[str, ...] = ()
    """Client ids of the application's native apps, whose ID tokens may be handed in."""
    required_claims: Mapping[str, str] = {}
    """What an ID token must say besides, such as ``{"hd": "example.com"}``."""
    refused_claims: Mapping[str, str] = {}
    """What it must not say."""

    trusted: bool = False
    """Its addresses count as verified, whatever it says of them, and prove a local account's."""
    disable_sign_up: bool = False
    """Only accounts that are linked already sign in."""
    disable_implicit_sign_up: bool = False
    """A new user is made only where the page asked for it (``requestSignUp``)."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not _ID.fullmatch(self.id) or self.id == "credential":
            raise ValueError("id: a short name of lower-case letters, digits, - and _")
        if not self.client_id:
            raise ValueError("client_id: is empty")
        if self.authorization_endpoint is None or self.token_endpoint is None:
            if self.issuer is None or "{" in self.issuer:
                raise ValueError("issuer, or authorization_endpoint and token_endpoint: missing")
        elif self.userinfo_endpoint is None and self.jwks_uri is None:
            raise ValueError("userinfo_endpoint or jwks_uri: missing, nothing says who signed in")
        if self.jwks_uri is not None and self.issuer is None:
            raise ValueError("issuer: missing, ID tokens could be anybody's")
        if self.client_secret and self.signing_key:
            raise ValueError("client_secret and signing_key: give one of the two")
        if self.token_auth not in (None, "none") and not (self.client_secret or self.signing_key):
            raise ValueError("client_secret: missing")
        if unknown := set(self.id_token_algorithms) - set(ASYMMETRIC):
            raise ValueError(f"id_token_algorithms: {sorted(unknown)} are not to be trusted")
        return self

    @property
    def is_discovered(self) -> bool:
        """Whether its endpoints are asked of it."""
        return self.authorization_endpoint is None or self.token_endpoint is None

    @property
    def has_id_tokens(self) -> bool:
        """Whether it says who signed in by a signed token."""
        return self.is_discovered or self.jwks_uri is not None

    def urls(self) -> Iterator[tuple[str, str]]:
        """Every address of it that is given, by the field's name."""
        for name in (*ENDPOINTS, "issuer"):
            url = getattr(self, name)
            if url is not None:
                yield name, url


ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "email_list_endpoint",
)
"""The fields of a provider that are URLs to be asked."""


def is_secure_url(url: str, *, allow_http: bool = False) -> bool:
    """Whether ``url`` may be asked: https (or, if so decided, http), and names plainly a host."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    schemes = ("https", "http") if allow_http else ("https",)
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    return is_plain and parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc
