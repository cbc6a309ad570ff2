"""Providers from the environment, for servers that are configured by it."""

import os
import re
from collections.abc import Mapping
from typing import Any

from better_auth.errors import ConfigurationError
from better_auth.plugins.oauth.presets import PRESETS, preset
from better_auth.plugins.oauth.providers import Provider, SigningKey

_NAME = re.compile(
    r"OAUTH_([A-Z0-9_]+?)_(CLIENT_ID|CLIENT_SECRET|ISSUER|NAME|SCOPES|TENANT|HOST|TRUSTED"
    r"|AUDIENCES|TEAM_ID|KEY_ID|PRIVATE_KEY)"
)


def providers_from_env(environ: Mapping[str, str] | None = None) -> list[Provider]:
    """The providers that variables ``OAUTH_<ID>_CLIENT_ID`` and so on describe.

    ``OAUTH_GOOGLE_CLIENT_ID`` and ``OAUTH_GOOGLE_CLIENT_SECRET`` make the preset ``google``;
    with ``OAUTH_ACME_ISSUER`` the OpenID provider at that address is ``acme``. docs/oauth.md has
    them all. Raises ``ConfigurationError`` naming the variable that is missing or wrong.
    """
    groups: dict[str, dict[str, str]] = {}
    for name, value in sorted((os.environ if environ is None else environ).items()):
        match = _NAME.fullmatch(name)
        if match and value:
            groups.setdefault(match.group(1), {})[match.group(2).lower()] = value
    return [_provider(group, values) for group, values in groups.items()]


def _provider(group: str, values: dict[str, str]) -> Provider:
    provider_id = group.lower().replace("_", "-")
    given: dict[str, Any] = {
        name: values[name] for name in ("client_secret", "name", "issuer") if name in values
    }
    if "client_id" not in values:
        raise ConfigurationError(f"OAUTH_{group}_CLIENT_ID is missing")
    for name in ("scopes", "audiences"):
        if name in values:
            given[name] = tuple(values[name].replace(",", " ").split())
    if "trusted" in values:
        given["trusted"] = values["trusted"].lower() in ("1", "true", "yes")
    if "private_key" in values:
        given["signing_key"] = SigningKey(
            issuer=values.get("team_id", ""),
            key_id=values.get("key_id", ""),
            private_key=values["private_key"].replace("\\n", "\n"),
        )
    if provider_id in PRESETS or provider_id == "x":
        more = {name: values[name] for name in ("tenant", "host") if name in values}
        return preset(provider_id, client_id=values["client_id"], **given, **more)
    if "issuer" not in values:
        raise ConfigurationError(f"OAUTH_{group}_ISSUER is missing: {provider_id} is no preset")
    return Provider(id=provider_id, client_id=values["client_id"], **given)
