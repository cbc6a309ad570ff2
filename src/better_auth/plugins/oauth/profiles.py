"""Who somebody is at a provider, read from whatever it answers by its claims mapping."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from better_auth.errors import BadRequest
from better_auth.plugins.oauth.directory import Endpoints
from better_auth.plugins.oauth.errors import OAuthFailure, ProviderUnavailable
from better_auth.plugins.oauth.outgoing import Json, Outgoing
from better_auth.plugins.oauth.providers import Claims, Provider
from better_auth.users import normalize_email

_PLACE = re.compile(r"\{([\w.]+)\}")
_LONGEST_NAME = 255
_LONGEST_IMAGE = 2048
_LONGEST_ID = 255


@dataclass(frozen=True, slots=True)
class Profile:
    """Somebody as a provider knows them. ``email`` is normalised, ``is_exact`` whether it is the
    very address that the provider named."""

    account_id: str
    email: str | None
    is_exact: bool
    email_verified: bool
    name: str
    image: str | None
    raw: Mapping[str, Json]


async def read_profile(
    outgoing: Outgoing,
    provider: Provider,
    endpoints: Endpoints,
    claims: Mapping[str, Json] | None,
    access_token: str | None,
) -> Profile:
    """The profile that an ID token's ``claims`` and the provider's userinfo make together.

    Userinfo is asked only for what the ID token does not say, and counts only if it is about the
    same subject (OpenID Connect Core 5.3.4). Raises ``OAuthFailure`` and ``ProviderUnavailable``.
    """
    raw: dict[str, Json] = dict(claims or {})
    is_complete = claims is not None and found(raw, provider.claims.email) is not None
    if endpoints.userinfo is not None and access_token is not None and not is_complete:
        answer = await outgoing.get(endpoints.userinfo, token=access_token)
        if not isinstance(answer, dict):
            raise ProviderUnavailable(f"{provider.id}: its profile cannot be read")
        if claims is not None and answer.get("sub") != claims.get("sub"):
            raise OAuthFailure("unable_to_get_user_info", f"{provider.id}: another subject")
        raw = {**answer, **raw}
    profile = profile_of(provider, raw)
    if provider.email_list_endpoint is not None and access_token is not None:
        return await _with_listed_email(outgoing, provider, profile, access_token)
    return profile


def profile_of(provider: Provider, raw: Mapping[str, Json]) -> Profile:
    """``raw`` as the provider's mapping reads it. Raises ``OAuthFailure`` where nobody is named."""
    mapping = provider.claims
    account_id = found(raw, mapping.id)
    if isinstance(account_id, int) and not isinstance(account_id, bool):
        account_id = str(account_id)
    if not isinstance(account_id, str) or not 0 < len(account_id) <= _LONGEST_ID:
        raise OAuthFailure("unable_to_get_user_info", f"{provider.id}: names no account")
    if not account_id.isprintable() or account_id != account_id.strip():
        raise OAuthFailure("unable_to_get_user_info", f"{provider.id}: names no account")
    stated = found(raw, mapping.email)
    email, is_exact = _email(stated)
    names = (_text(found(raw, place)) for place in mapping.name)
    return Profile(
        account_id=account_id,
        email=email,
        is_exact=is_exact,
        email_verified=is_exact and _is_vouched_for(mapping, raw, stated),
        name=next(filter(None, names), "") or (email or account_id).partition("@")[0],
        image=_image(mapping, raw),
        raw=raw,
    )


def found(raw: Json, path: str) -> Json:
    """What is at ``path`` in ``raw``; None if nothing is.

    >>> found({"images": [{"url": "u"}]}, "images.0.url")
    'u'
    """
    if isinstance(raw, Mapping) and path in raw:
        return raw[path]  # names such as https://slack.com/user_id have dots of their own
    for step in path.split("."):
        if isinstance(raw, Mapping):
            raw = raw.get(step)
        elif isinstance(raw, list) and step.isdecimal() and int(step) < len(raw):
            raw = raw[int(step)]
        else:
            return None
    return raw


async def _with_listed_email(
    outgoing: Outgoing, provider: Provider, profile: Profile, access_token: str
) -> Profile:
    """The primary address of the provider's list, and what the list says of it."""
    try:
        listed = await outgoing.get(provider.email_list_endpoint or "", token=access_token)
        if not isinstance(listed, list):
            raise ProviderUnavailable(f"{provider.id}: its addresses cannot be read")
    except ProviderUnavailable:
        return profile  # the scope was not granted: what the profile shows stays unverified
    entries = [entry for entry in listed if isinstance(entry, dict)]
    entries.sort(key=lambda entry: entry.get("primary") is not True)
    for entry in entries:
        email, is_exact = _email(entry.get("email"))
        if email is not None:
            return Profile(
                profile.account_id,
                email,
                is_exact,
                is_exact and entry.get("verified") is True,
                profile.name,
                profile.image,
                {**profile.raw, "email": email},
            )
    return profile


def _email(stated: Json) -> tuple[str | None, bool]:
    """The address in the form in which it is stored, and whether it is the very one stated.

    A provider vouches for what it wrote. Where another spelling becomes the same address only by
    normalisation (a full-width letter), it vouched for somebody else's.
    """
    if not isinstance(stated, str) or len(stated) > 320:
        return None, False
    try:
        email = normalize_email(stated)
    except (BadRequest, UnicodeError):
        return None, False
    return email, unicodedata.normalize("NFC", stated).lower() == email


def _is_vouched_for(mapping: Claims, raw: Mapping[str, Json], stated: Json) -> bool:
    if isinstance(mapping.email_verified, bool):
        said: Json = mapping.email_verified
    else:
        said = found(raw, mapping.email_verified)
    if said is True or said == "true":  # Apple writes it as a string
        return True
    lists = (found(raw, place) for place in mapping.verified_emails)
    return any(isinstance(listed, list) and stated in listed for listed in lists)


def _text(value: Json) -> str:
    if not isinstance(value, str):
        return ""
    shown = "".join(c for c in value if c.isprintable())
    return " ".join(shown.split())[:_LONGEST_NAME]


def _image(mapping: Claims, raw: Mapping[str, Json]) -> str | None:
    if "{" in mapping.image:
        parts = {place: found(raw, place) for place in _PLACE.findall(mapping.image)}
        if not all(_is_id(part) for part in parts.values()):
            return None
        url: Json = _PLACE.sub(lambda match: str(parts[match.group(1)]), mapping.image)
    else:
        url = found(raw, mapping.image)
    if not isinstance(url, str) or len(url) > _LONGEST_IMAGE or not url.isprintable():
        return None
    return url if url.startswith(("https://", "http://")) else None


def _is_id(part: Json) -> bool:
    return isinstance(part, str) and re.fullmatch(r"[\w\-]{1,128}", part, re.A) is not None
