"""The table of providers: every row complete, secure, and readable by its own mapping."""

import asyncio
import json
from typing import Any

import pytest
from joserfc.jwk import ECKey
from joserfc.jws import extract_compact

from better_auth.clock import utc_now
from better_auth.plugins.oauth import PRESETS, SigningKey, preset
from better_auth.plugins.oauth.directory import Directory
from better_auth.plugins.oauth.exchange import TokenEndpoint, authorization_url
from better_auth.plugins.oauth.outgoing import Outgoing
from better_auth.plugins.oauth.profiles import profile_of
from better_auth.plugins.oauth.providers import is_secure_url

PROFILES: dict[str, tuple[dict[str, Any], tuple[str, str | None, bool]]] = {
    "google": (
        {"sub": "1", "email": "a@b.c", "email_verified": True, "name": "A"},
        ("1", "a@b.c", True),
    ),
    "github": ({"id": 1, "login": "a", "email": "a@b.c"}, ("1", "a@b.c", False)),
    "apple": ({"sub": "1", "email": "a@b.c", "email_verified": "true"}, ("1", "a@b.c", True)),
    "microsoft": (
        {"oid": "1", "sub": "2", "email": "a@b.c", "verified_primary_email": ["a@b.c"]},
        ("1", "a@b.c", True),
    ),
    "discord": (
        {"id": "1", "username": "a", "avatar": "f0", "email": "a@b.c", "verified": True},
        ("1", "a@b.c", True),
    ),
    "gitlab": ({"sub": "1", "email": "a@b.c", "email_verified": True}, ("1", "a@b.c", True)),
    "facebook": (
        {"id": "1", "name": "A", "email": "a@b.c", "picture": {"data": {"url": "https://x/y"}}},
        ("1", "a@b.c", False),
    ),
    "twitter": (
        {"data": {"id": "1", "name": "A", "username": "a", "confirmed_email": "a@b.c"}},
        ("1", "a@b.c", True),
    ),
    "linkedin": ({"sub": "1", "email": "a@b.c", "email_verified": True}, ("1", "a@b.c", True)),
    "slack": ({"sub": "1", "email": "a@b.c", "email_verified": True}, ("1", "a@b.c", True)),
    "spotify": (
        {"id": "1", "display_name": "A", "email": "a@b.c", "images": [{"url": "https://x/y"}]},
        ("1", "a@b.c", False),
    ),
    "twitch": ({"sub": "1", "email": "a@b.c", "email_verified": True}, ("1", "a@b.c", True)),
}


@pytest.mark.parametrize("provider_id", PRESETS)
def test_preset(provider_id: str) -> None:
    """Each has https endpoints, scopes, a way to say who signed in, and a readable profile."""
    provider = preset(provider_id, client_id="app", client_secret="secret")
    assert provider.id == provider_id
    assert provider.name
    assert provider.scopes
    assert not provider.is_discovered
    for field, url in provider.urls():
        assert is_secure_url(url), field
        assert "$" not in url
    assert provider.userinfo_endpoint or provider.jwks_uri
    assert not provider.trusted
    assert not (provider.nonce and not provider.has_id_tokens)
    raw, (account_id, email, verified) = PROFILES[provider_id]
    profile = profile_of(provider, raw)
    assert (profile.account_id, profile.email, profile.email_verified) == (
        account_id,
        email,
        verified,
    )
    assert profile.name
    if provider_id in ("discord", "facebook", "spotify"):
        assert (profile.image or "").startswith("https://")


def test_microsofts_addresses_are_not_verified() -> None:
    """Anyone may put any address into a directory of their own."""
    provider = preset("microsoft", client_id="app")
    raw = {"oid": "1", "email": "ceo@victim.example", "preferred_username": "ceo@victim.example"}
    assert not profile_of(provider, raw).email_verified


def test_microsofts_tenants() -> None:
    """``organizations`` refuses personal accounts, ``consumers`` and a directory all others."""
    personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
    assert preset("microsoft", client_id="a", tenant="organizations").refused_claims == {
        "tid": personal
    }
    assert preset("microsoft", client_id="a", tenant="consumers").required_claims == {
        "tid": personal
    }
    own = preset("microsoft", client_id="a", tenant="0f0f0f0f-0000-0000-0000-000000000000")
    assert own.required_claims == {"tid": "0f0f0f0f-0000-0000-0000-000000000000"}
    assert "/0f0f0f0f-0000-0000-0000-000000000000/" in (own.token_endpoint or "")


async def _apple_form() -> dict[str, str]:
    key = ECKey.generate_key("P-256", private=True)
    provider = preset(
        "apple",
        client_id="com.example.app",
        signing_key=SigningKey(
            issuer="TEAM", key_id="KEY", private_key=key.as_pem(private=True).decode()
        ),
    )
    outgoing = Outgoing(1)
    endpoints = await Directory(outgoing, utc_now, allow_http=False).of(provider)
    url = authorization_url(
        provider, endpoints, state="s", redirect_uri="r", code_verifier="v", nonce="n"
    )
    assert "response_mode=form_post" in url
    endpoint = TokenEndpoint(outgoing, utc_now)
    form, headers = endpoint._authenticated(provider, endpoints, {})
    assert headers == {}
    return form


def test_apples_secret_is_minted() -> None:
    """The client secret is an ES256 JWT of a few minutes, made from the team's key."""
    form = asyncio.run(_apple_form())
    token = extract_compact(form["client_secret"].encode())
    assert token.headers() == {"typ": "JWT", "alg": "ES256", "kid": "KEY"}
    claims = json.loads(token.payload)
    assert (claims["iss"], claims["sub"]) == ("TEAM", "com.example.app")
    assert claims["aud"] == "https://appleid.apple.com"
    assert claims["exp"] - claims["iat"] == 300
