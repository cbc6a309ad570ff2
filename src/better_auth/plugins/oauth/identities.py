"""Who somebody is, by the word of a provider: from a code it gave, or an ID token it signed."""

from dataclasses import dataclass, replace

from pydantic import ValidationError

from better_auth.clock import Clock
from better_auth.plugins.oauth.directory import Directory, Endpoints
from better_auth.plugins.oauth.errors import OAuthFailure
from better_auth.plugins.oauth.exchange import TokenEndpoint, Tokens
from better_auth.plugins.oauth.id_tokens import IdTokens
from better_auth.plugins.oauth.messages import Callback, DirectIdToken, ProviderName, ProviderUser
from better_auth.plugins.oauth.outgoing import Outgoing
from better_auth.plugins.oauth.profiles import Profile, profile_of, read_profile
from better_auth.plugins.oauth.providers import Provider
from better_auth.plugins.oauth.state import Attempt


@dataclass(frozen=True, slots=True)
class Identity:
    """What a provider has said: who, and with which tokens."""

    provider: Provider
    profile: Profile
    tokens: Tokens

    @property
    def proves_email(self) -> bool:
        """Whether the address in the profile counts as proven."""
        return self.profile.is_exact and (self.profile.email_verified or self.provider.trusted)


class Identities:
    """Asks providers who somebody is."""

    def __init__(
        self, outgoing: Outgoing, directory: Directory, endpoint: TokenEndpoint, clock: Clock
    ) -> None:
        self._outgoing = outgoing
        self._directory = directory
        self._endpoint = endpoint
        self._id_tokens = IdTokens(outgoing, clock)

    async def by_code(self, provider: Provider, attempt: Attempt, answer: Callback) -> Identity:
        """Who came back from ``provider`` with ``answer``.

        Raises ``OAuthFailure`` for an answer of another server, a refusal, or anything about the
        tokens that is not right.
        """
        endpoints = await self._directory.of(provider)
        _check_issuer(provider, endpoints, answer.iss)
        if answer.error is not None:
            raise OAuthFailure(_known(answer.error), f"{provider.id} sent back an error")
        if answer.code is None:
            raise OAuthFailure("no_code")
        tokens = await self._endpoint.redeem(
            provider,
            endpoints,
            code=answer.code,
            redirect_uri=attempt.redirect_uri,
            code_verifier=attempt.code_verifier,
        )
        claims = None
        if endpoints.jwks is not None:
            if tokens.id_token is None:
                raise OAuthFailure("invalid_id_token", f"{provider.id} gave none")
            claims = await self._id_tokens.verify(
                provider, endpoints.jwks, tokens.id_token, nonce=attempt.nonce
            )
        profile = await read_profile(
            self._outgoing, provider, endpoints, claims, tokens.access_token
        )
        if provider.response_mode == "form_post" and answer.user:
            profile = _named(provider, profile, _name_in(answer.user))
        return Identity(provider, profile, tokens)

    async def by_id_token(self, provider: Provider, given: DirectIdToken) -> Identity:
        """Whose the ID token is that a client brought. Raises ``OAuthFailure``."""
        endpoints = await self._directory.of(provider)
        if endpoints.jwks is None:
            raise OAuthFailure("id_token_not_supported")
        claims = await self._id_tokens.verify(
            provider, endpoints.jwks, given.token, nonce=given.nonce, is_handed_in=True
        )
        profile = profile_of(provider, claims)
        if given.user is not None:
            profile = _named(provider, profile, given.user.name)
        tokens = Tokens(given.access_token, given.refresh_token, given.token)
        return Identity(provider, profile, tokens)

    async def by_access_token(self, provider: Provider, tokens: Tokens, token: str) -> Profile:
        """What ``provider`` says now of whom the access ``token`` is for."""
        endpoints = await self._directory.of(provider)
        claims = None
        if endpoints.userinfo is None:
            if endpoints.jwks is None or tokens.id_token is None:
                raise OAuthFailure("unable_to_get_user_info", f"{provider.id} has no userinfo")
            claims = self._id_tokens.claims_of(tokens.id_token)
        return await read_profile(self._outgoing, provider, endpoints, claims, token)


def _check_issuer(provider: Provider, endpoints: Endpoints, stated: str | None) -> None:
    """That the answer is from the server the browser was sent to (RFC 9207 section 2.4)."""
    if stated is None:
        if endpoints.sends_issuer:
            raise OAuthFailure("issuer_missing", f"{provider.id} did not name itself")
        return
    issuer = provider.issuer
    if issuer is None or "{" in issuer:
        return  # not known beforehand; the ID token's issuer is checked
    if stated not in (issuer, *provider.id_token_issuers):
        raise OAuthFailure("issuer_mismatch", f"{provider.id}: another issuer answered")


_STANDARD = frozenset(
    {
        "access_denied",
        "invalid_request",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
        "interaction_required",
        "login_required",
        "consent_required",
        "account_selection_required",
        "user_cancelled_authorize",
        "user_cancelled_login",
    }
)
"""RFC 6749 section 4.1.2.1, OpenID Connect Core 3.1.2.6, and what LinkedIn says."""


def _known(error: str) -> str:
    """``error`` if it is one of the standard's; nothing else that came by URL is passed on."""
    return error if error in _STANDARD else "oauth_error"


def _name_in(user: str) -> ProviderName | None:
    try:
        return ProviderUser.model_validate_json(user).name
    except ValidationError:
        return None


def _named(provider: Provider, profile: Profile, name: ProviderName | None) -> Profile:
    """``profile`` with the name that only the person's own browser knows (Apple)."""
    if name is None:
        return profile
    full = f"{name.first_name or ''} {name.last_name or ''}".strip()
    if not full or any(profile.raw.get(place) for place in provider.claims.name):
        return profile
    return replace(profile, name=profile_of(provider, {**profile.raw, "name": full}).name)
