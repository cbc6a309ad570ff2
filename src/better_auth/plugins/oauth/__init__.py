"""Sign-in through others: OAuth 2 and OpenID Connect providers."""

from better_auth.errors import MissingExtra

try:
    import httpx  # noqa: F401
    import joserfc  # noqa: F401
except ImportError:
    raise MissingExtra("OAuthPlugin", "oauth") from None

from better_auth.plugins.oauth.environment import providers_from_env
from better_auth.plugins.oauth.plugin import OAuthPlugin
from better_auth.plugins.oauth.presets import PRESETS, preset
from better_auth.plugins.oauth.providers import Claims, Provider, SigningKey

__all__ = [
    "PRESETS",
    "Claims",
    "OAuthPlugin",
    "Provider",
    "SigningKey",
    "preset",
    "providers_from_env",
]
