"""What is said to a provider: authorization requests, codes for tokens, refreshes
(RFC 6749, RFC 7636)."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote_plus, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey

from better_auth.clock import Clock
from better_auth.plugins.oauth.directory import Endpoints
from better_auth.plugins.oauth.errors import OAuthFailure, ProviderUnavailable
from better_auth.plugins.oauth.outgoing import Json, Outgoing
from better_auth.plugins.oauth.providers import Provider, SigningKey

MINTED_SECRET_LIFE = timedelta(minutes=5)
_LONGEST_TOKEN = 64 * 1024
_LONGEST_LIFE = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider gives for a code or a refresh token."""

    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    access_token_expires_at: datetime | None = None
    refresh_token_expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()


def authorization_url(
    provider: Provider,
    endpoints: Endpoints,
    *,
    state: str,
    redirect_uri: str,
    code_verifier: str,
    nonce: str | None,
    scopes: Sequence[str] = (),
    login_hint: str | None = None,
    additional: Mapping[str, str] | None = None,
) -> str:
    """Where the browser is sent to sign in at ``provider``; ``additional`` parameters come with
    the provider's own and before ours."""
    parameters = {
        **provider.authorization_params,
        **(additional or {}),
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "scope": " ".join(dict.fromkeys([*provider.scopes, *scopes])),
    }
    if provider.pkce:
        digest = hashlib.sha256(code_verifier.encode()).digest()
        parameters["code_challenge"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        parameters["code_challenge_method"] = "S256"
    if nonce is not None:
        parameters["nonce"] = nonce
    if provider.response_mode != "query":
        parameters["response_mode"] = provider.response_mode
    if login_hint is not None:
        parameters["login_hint"] = login_hint
    separator = "&" if "?" in endpoints.authorization else "?"
    return endpoints.authorization + separator + urlencode(parameters)


class TokenEndpoint:
    """Asks providers for tokens."""

    def __init__(self, outgoing: Outgoing, clock: Clock) -> None:
        self._outgoing = outgoing
        self._clock = clock

    async def redeem(
        self,
        provider: Provider,
        endpoints: Endpoints,
        *,
        code: str,
        redirect_uri: str,
        code_verifier: str,
    ) -> Tokens:
        """The tokens for an authorization code.

        Raises ``OAuthFailure`` (``invalid_code``) and ``ProviderUnavailable``.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if provider.pkce:
            form["code_verifier"] = code_verifier
        return await self._ask(provider, endpoints, form, "invalid_code")

    async def refresh(self, provider: Provider, endpoints: Endpoints, refresh_token: str) -> Tokens:
        """New tokens for a refresh token.

        Raises ``OAuthFailure`` (``invalid_refresh_token``) and ``ProviderUnavailable``.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._ask(provider, endpoints, form, "invalid_refresh_token")

    async def _ask(
        self, provider: Provider, endpoints: Endpoints, form: Mapping[str, str], code: str
    ) -> Tokens:
        fields, headers = self._authenticated(provider, endpoints, dict(form))
        status, answer = await self._outgoing.post(endpoints.token, fields, headers)
        if not isinstance(answer, dict):
            raise ProviderUnavailable(f"{provider.id}: its tokens cannot be read")
        if not 200 <= status < 300 or "error" in answer:  # GitHub says so with 200
            raise OAuthFailure(code, f"{provider.id} refused with {status}")
        return self._read(provider, answer)

    def _authenticated(
        self, provider: Provider, endpoints: Endpoints, form: dict[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Form and headers that say which client is asking (RFC 6749 section 2.3.1)."""
        secret = provider.client_secret or ""
        if provider.signing_key is not None:
            secret = self._minted(provider, provider.signing_key)
        if endpoints.token_auth == "client_secret_basic":
            pair = f"{quote_plus(provider.client_id)}:{quote_plus(secret)}"
            basic = base64.b64encode(pair.encode()).decode()
            return form, {"Authorization": f"Basic {basic}"}
        form["client_id"] = provider.client_id
        if endpoints.token_auth == "client_secret_post":
            form["client_secret"] = secret
        return form, {}

    def _minted(self, provider: Provider, key: SigningKey) -> str:
        now = self._clock()
        claims = {
            "iss": key.issuer,
            "sub": provider.client_id,
            "aud": key.audience,
            "iat": now,
            "exp": now + MINTED_SECRET_LIFE,
        }
        private = ECKey.import_key(key.private_key)
        return jwt.encode({"alg": "ES256", "kid": key.key_id}, claims, private)

    def _read(self, provider: Provider, answer: Mapping[str, Json]) -> Tokens:
        kind = answer.get("token_type")
        if isinstance(kind, str) and kind.lower() not in ("bearer", ""):
            raise ProviderUnavailable(f"{provider.id}: gives tokens of another kind")
        scope = answer.get("scope")
        listed = scope.replace(",", " ").split() if isinstance(scope, str) else scope
        return Tokens(
            access_token=_token(answer.get("access_token")),
            refresh_token=_token(answer.get("refresh_token")),
            id_token=_token(answer.get("id_token")),
            access_token_expires_at=self._in(answer.get("expires_in")),
            refresh_token_expires_at=self._in(
                answer.get("refresh_token_expires_in", answer.get("refresh_expires_in"))
            ),
            scopes=tuple(
                text
                for text in (listed if isinstance(listed, list) else ())[:100]
                if isinstance(text, str) and text.isascii() and text.isprintable() and text
            ),
        )

    def _in(self, seconds: Json) -> datetime | None:
        try:
            life = timedelta(seconds=float(seconds))
        except (TypeError, ValueError, OverflowError):
            return None
        return self._clock() + min(max(life, timedelta(0)), _LONGEST_LIFE)


def _token(value: Json) -> str | None:
    is_one = isinstance(value, str) and 0 < len(value) <= _LONGEST_TOKEN
    return value if is_one and value.isascii() and value.isprintable() else None
