"""Where a provider's endpoints are: as configured, or as its metadata say."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from better_auth.clock import Clock
from better_auth.plugins.oauth.errors import ProviderUnavailable
from better_auth.plugins.oauth.outgoing import Json, Outgoing
from better_auth.plugins.oauth.providers import Provider, TokenAuth, is_secure_url

KEPT = timedelta(hours=1)
"""How long metadata are believed."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is to be asked, and how."""

    authorization: str
    token: str
    userinfo: str | None
    jwks: str | None
    token_auth: TokenAuth
    sends_issuer: bool


class Directory:
    """The endpoints of an application's providers, discovered where they are not configured
    (OpenID Connect Discovery 1.0)."""

    def __init__(self, outgoing: Outgoing, clock: Clock, *, allow_http: bool) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._allow_http = allow_http
        self._found: dict[str, tuple[datetime, Endpoints]] = {}
        self._looking: dict[str, asyncio.Lock] = {}

    async def of(self, provider: Provider) -> Endpoints:
        """The endpoints of ``provider``. Raises ``ProviderUnavailable``."""
        if not provider.is_discovered:
            return _configured(provider)
        async with self._looking.setdefault(provider.id, asyncio.Lock()):
            known = self._found.get(provider.id)
            now = self._clock()
            if known is not None and now - known[0] < KEPT:
                return known[1]
            try:
                found = await self._discover(provider)
            except ProviderUnavailable:
                if known is None:
                    raise
                return known[1]  # what was true an hour ago serves better than nothing
            self._found[provider.id] = now, found
            return found

    async def _discover(self, provider: Provider) -> Endpoints:
        issuer = provider.issuer or ""
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        metadata = await self._outgoing.get(url)
        if not isinstance(metadata, dict) or metadata.get("issuer") != issuer:
            raise ProviderUnavailable(f"{url} describes another issuer")
        return Endpoints(
            authorization=self._url(provider, metadata, "authorization_endpoint"),
            token=self._url(provider, metadata, "token_endpoint"),
            userinfo=(
                self._url(provider, metadata, "userinfo_endpoint")
                if provider.userinfo_endpoint or "userinfo_endpoint" in metadata
                else None
            ),
            jwks=self._url(provider, metadata, "jwks_uri"),
            token_auth=provider.token_auth or _preferred(provider, metadata),
            sends_issuer=provider.sends_issuer
            or metadata.get("authorization_response_iss_parameter_supported") is True,
        )

    def _url(self, provider: Provider, metadata: Mapping[str, Json], name: str) -> str:
        url = getattr(provider, name) or metadata.get(name)
        if not isinstance(url, str) or not is_secure_url(url, allow_http=self._allow_http):
            raise ProviderUnavailable(f"{provider.id}: its metadata have no usable {name}")
        return url


def _configured(provider: Provider) -> Endpoints:
    return Endpoints(
        authorization=provider.authorization_endpoint or "",
        token=provider.token_endpoint or "",
        userinfo=provider.userinfo_endpoint,
        jwks=provider.jwks_uri,
        token_auth=provider.token_auth or _preferred(provider, {}),
        sends_issuer=provider.sends_issuer,
    )


def _preferred(provider: Provider, metadata: Mapping[str, Json]) -> TokenAuth:
    if provider.client_secret is None and provider.signing_key is None:
        return "none"
    supported = metadata.get("token_endpoint_auth_methods_supported")
    if isinstance(supported, list) and "client_secret_basic" not in supported:
        return "client_secret_post"
    return "client_secret_basic"
