"""The providers that come with the library: a table, not code.

Taken from each provider's own documentation. ``$tenant`` and ``$host`` are filled in by
:func:`preset`. PKCE and nonce are off only where a provider does not take them.
"""

from collections.abc import Mapping
from string import Template
from typing import Any

from better_auth.errors import ConfigurationError
from better_auth.plugins.oauth.providers import Claims, Provider

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "google": {
        "name": "Google",
        "issuer": "https://accounts.google.com",
        "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
        "token_endpoint": "https://oauth2.googleapis.com/token",
        "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
        "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
        "id_token_issuers": ("accounts.google.com",),
        # Whoever is asked for one scope more keeps those given before.
        "authorization_params": {"include_granted_scopes": "true"},
        "id_token_algorithms": ("RS256",),
        "token_auth": "client_secret_post",
    },
    "github": {
        "name": "GitHub",
        "authorization_endpoint": "https://github.com/login/oauth/authorize",
        "token_endpoint": "https://github.com/login/oauth/access_token",
        "userinfo_endpoint": "https://api.github.com/user",
        "email_list_endpoint": "https://api.github.com/user/emails",
        "scopes": ("read:user", "user:email"),
        "claims": Claims(id="id", name=("name", "login"), image="avatar_url", email_verified=False),
        "token_auth": "client_secret_post",
        "nonce": False,
    },
    "apple": {
        "name": "Apple",
        "issuer": "https://appleid.apple.com",
        "authorization_endpoint": "https://appleid.apple.com/auth/authorize",
        "token_endpoint": "https://appleid.apple.com/auth/token",
        "jwks_uri": "https://appleid.apple.com/auth/keys",
        "id_token_algorithms": ("RS256",),
        "id_token_nonce_hash": True,
        "scopes": ("email", "name"),
        "response_mode": "form_post",
        "token_auth": "client_secret_post",
    },
    "microsoft": {
        "name": "Microsoft",
        "issuer": "https://login.microsoftonline.com/{tid}/v2.0",
        "authorization_endpoint": "https://login.microsoftonline.com/$tenant/oauth2/v2.0/authorize",
        "token_endpoint": "https://login.microsoftonline.com/$tenant/oauth2/v2.0/token",
        "jwks_uri": "https://login.microsoftonline.com/$tenant/discovery/v2.0/keys",
        "id_token_algorithms": ("RS256",),
        "scopes": ("openid", "profile", "email", "User.Read", "offline_access"),
        # Anyone may put any address into ``email``; only these lists are Microsoft's word.
        "claims": Claims(
            id="oid",
            verified_emails=("verified_primary_email", "verified_secondary_email"),
        ),
        "token_auth": "client_secret_post",
    },
    "discord": {
        "name": "Discord",
        "authorization_endpoint": "https://discord.com/oauth2/authorize",
        "token_endpoint": "https://discord.com/api/oauth2/token",
        "userinfo_endpoint": "https://discord.com/api/users/@me",
        "scopes": ("identify", "email"),
        "claims": Claims(
            id="id",
            name=("global_name", "username"),
            email_verified="verified",
            image="https://cdn.discordapp.com/avatars/{id}/{avatar}.png",
        ),
        "token_auth": "client_secret_post",
        "pkce": False,
        "nonce": False,
    },
    "gitlab": {
        "name": "GitLab",
        "issuer": "https://$host",
        "authorization_endpoint": "https://$host/oauth/authorize",
        "token_endpoint": "https://$host/oauth/token",
        "userinfo_endpoint": "https://$host/oauth/userinfo",
        "jwks_uri": "https://$host/oauth/discovery/keys",
        "id_token_algorithms": ("RS256",),
        "token_auth": "client_secret_post",
    },
    "facebook": {
        "name": "Facebook",
        "authorization_endpoint": "https://www.facebook.com/v24.0/dialog/oauth",
        "token_endpoint": "https://graph.facebook.com/v24.0/oauth/access_token",
        "userinfo_endpoint": "https://graph.facebook.com/v24.0/me?fields=id,name,email,picture",
        "scopes": ("email", "public_profile"),
        "claims": Claims(id="id", email_verified=False, image="picture.data.url"),
        "token_auth": "client_secret_post",
        "pkce": False,
        "nonce": False,
    },
    "twitter": {
        "name": "X",
        "authorization_endpoint": "https://x.com/i/oauth2/authorize",
        "token_endpoint": "https://api.x.com/2/oauth2/token",
        "userinfo_endpoint": (
            "https://api.x.com/2/users/me?user.fields=profile_image_url,confirmed_email"
        ),
        "scopes": ("users.read", "tweet.read", "users.email", "offline.access"),
        "claims": Claims(
            id="data.id",
            email="data.confirmed_email",
            email_verified=True,
            name=("data.name", "data.username"),
            image="data.profile_image_url",
        ),
        "token_auth": "client_secret_basic",
        "nonce": False,
    },
    "linkedin": {
        "name": "LinkedIn",
        "issuer": "https://www.linkedin.com/oauth",
        "authorization_endpoint": "https://www.linkedin.com/oauth/v2/authorization",
        "token_endpoint": "https://www.linkedin.com/oauth/v2/accessToken",
        "userinfo_endpoint": "https://api.linkedin.com/v2/userinfo",
        "jwks_uri": "https://www.linkedin.com/oauth/openid/jwks",
        "id_token_issuers": ("https://www.linkedin.com",),
        "id_token_algorithms": ("RS256",),
        "token_auth": "client_secret_post",
        "pkce": False,
        "nonce": False,
    },
    "slack": {
        "name": "Slack",
        "issuer": "https://slack.com",
        "authorization_endpoint": "https://slack.com/openid/connect/authorize",
        "token_endpoint": "https://slack.com/api/openid.connect.token",
        "userinfo_endpoint": "https://slack.com/api/openid.connect.userInfo",
        "jwks_uri": "https://slack.com/openid/connect/keys",
        "id_token_algorithms": ("RS256",),
        "token_auth": "client_secret_post",
        "pkce": False,
    },
    "spotify": {
        "name": "Spotify",
        "authorization_endpoint": "https://accounts.spotify.com/authorize",
        "token_endpoint": "https://accounts.spotify.com/api/token",
        "userinfo_endpoint": "https://api.spotify.com/v1/me",
        "scopes": ("user-read-email",),
        "claims": Claims(
            id="id",
            name=("display_name", "id"),
            email_verified=False,
            image="images.0.url",
        ),
        "token_auth": "client_secret_basic",
        "nonce": False,
    },
    "twitch": {
        "name": "Twitch",
        "issuer": "https://id.twitch.tv/oauth2",
        "authorization_endpoint": "https://id.twitch.tv/oauth2/authorize",
        "token_endpoint": "https://id.twitch.tv/oauth2/token",
        "userinfo_endpoint": "https://id.twitch.tv/oauth2/userinfo",
        "jwks_uri": "https://id.twitch.tv/oauth2/keys",
        "id_token_algorithms": ("RS256",),
        "scopes": ("openid", "user:read:email"),
        "claims": Claims(name=("preferred_username",)),
        "authorization_params": {
            "claims": (
                '{"id_token":{"email":null,"email_verified":null,'
                '"picture":null,"preferred_username":null}}'
            )
        },
        "token_auth": "client_secret_post",
        "pkce": False,
    },
}
"""By id. X is ``twitter``, as accounts made by better-auth on Node have it."""

_PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant that all personal Microsoft accounts belong to."""

_TENANTS: Mapping[str, Mapping[str, Any]] = {
    "common": {},
    "organizations": {"refused_claims": {"tid": _PERSONAL_ACCOUNTS}},
    "consumers": {"required_claims": {"tid": _PERSONAL_ACCOUNTS}},
}


def preset(
    provider_id: str,
    *,
    client_id: str,
    client_secret: str | None = None,
    tenant: str = "common",
    host: str = "gitlab.com",
    **more: Any,
) -> Provider:
    """A provider of the table, with what the application was given when it registered.

    >>> preset("google", client_id="...", client_secret="...").scopes
    ('openid', 'email', 'profile')

    ``tenant`` is Microsoft's (``common``, ``organizations``, ``consumers`` or a directory's id),
    ``host`` a GitLab of one's own; ``more`` replaces fields of :class:`Provider`. Raises
    ``ConfigurationError``.
    """
    data = PRESETS.get("twitter" if provider_id == "x" else provider_id)
    if data is None:
        raise ConfigurationError(f"provider {provider_id}: known are {', '.join(PRESETS)}")
    filled = {
        name: Template(value).safe_substitute(tenant=tenant, host=host)
        if isinstance(value, str)
        else value
        for name, value in data.items()
    }
    if provider_id == "microsoft":
        filled |= _TENANTS.get(tenant, {"required_claims": {"tid": tenant}})
    if more.get("signing_key") is None and client_secret is None:
        filled["token_auth"] = "none"
    values = {**filled, "client_id": client_id, "client_secret": client_secret, **more}
    return Provider(id="twitter" if provider_id == "x" else provider_id, **values)
