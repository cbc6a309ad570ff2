"""ID tokens: who a provider says has signed in, believed only when everything about it is right
(OpenID Connect Core 3.1.3.7)."""

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry
from pydantic_core import from_json

from better_auth.clock import Clock
from better_auth.plugins.oauth.errors import OAuthFailure, ProviderUnavailable
from better_auth.plugins.oauth.outgoing import Json, Outgoing
from better_auth.plugins.oauth.providers import Provider

LEEWAY = timedelta(seconds=60)
"""How far a provider's clock may be from ours."""

HANDED_IN_WITHIN = timedelta(hours=1)
"""How old a token may be that a client brings itself."""

KEYS_KEPT = timedelta(hours=1)
KEYS_PAUSE = timedelta(seconds=30)
"""Unknown keys make us ask again, but not more often than this: anybody can make up a key id."""

_LONGEST = 16 * 1024
_MOST_KEYS = 50
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(slots=True)
class _Keys:
    """A provider's keys as last read."""

    keys: list[Key] = field(default_factory=list)
    read: datetime | None = None
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)


class IdTokens:
    """Verifies ID tokens with the keys their issuers publish."""

    def __init__(self, outgoing: Outgoing, clock: Clock) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._keys: dict[str, _Keys] = {}

    async def verify(
        self,
        provider: Provider,
        jwks: str,
        token: str,
        *,
        nonce: str | None,
        is_handed_in: bool = False,
    ) -> dict[str, Json]:
        """The claims of ``token``.

        ``nonce`` is what it must carry; None: it must carry none (a provider that ignores nonces
        is configured so). ``is_handed_in`` is a token that a client brought: it may be for any of
        the application's ``audiences``, and not be old. Raises ``OAuthFailure``
        (``invalid_id_token``) and ``ProviderUnavailable``.
        """
        try:
            key = await self._key_for(provider, jwks, token)
            decoded = jwt.decode(token, key, algorithms=list(provider.id_token_algorithms))
            claims: dict[str, Json] = from_json(json.dumps(decoded.claims), allow_inf_nan=False)
            self._check(provider, claims, is_handed_in)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            reason = getattr(error, "error", type(error).__name__)
            raise _invalid(f"{provider.id}: {reason}") from None
        _check_nonce(provider, claims, nonce, may_be_hashed=is_handed_in)
        return claims

    @staticmethod
    def claims_of(token: str) -> dict[str, Json]:
        """The claims of a token that was verified when it came, and may have expired since.

        Raises ``OAuthFailure``.
        """
        try:
            claims: dict[str, Json] = from_json(extract_compact(token.encode()).payload)
        except (JoseError, ValueError, TypeError) as error:
            raise _invalid(type(error).__name__) from None
        return claims

    def _check(self, provider: Provider, claims: Mapping[str, Json], is_handed_in: bool) -> None:
        ours = [provider.client_id, *(provider.audiences if is_handed_in else ())]
        now = int(self._clock().timestamp())
        JWTClaimsRegistry(
            now,
            int(LEEWAY.total_seconds()),
            iss={"essential": True, "values": [*_issuers(provider, claims)]},
            sub={"essential": True},
            aud={"essential": True, "values": [*ours]},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(dict(claims))
        audience, authorized = claims["aud"], claims.get("azp")
        if isinstance(audience, list) and len(audience) > 1 and authorized is None:
            raise _invalid(f"{provider.id}: several audiences, no azp")
        if authorized is not None and authorized not in (provider.client_id, *provider.audiences):
            raise _invalid(f"{provider.id}: issued to another client")
        if is_handed_in and claims["iat"] < now - HANDED_IN_WITHIN.total_seconds():
            raise _invalid(f"{provider.id}: too old to be handed in")
        if any(claims.get(name) != value for name, value in provider.required_claims.items()):
            raise _invalid(f"{provider.id}: a required claim is missing")
        if any(claims.get(name) == value for name, value in provider.refused_claims.items()):
            raise _invalid(f"{provider.id}: has a claim that is refused")

    async def _key_for(self, provider: Provider, jwks: str, token: str) -> Key:
        """The one key that may have signed ``token``, chosen by its id and algorithm."""
        if len(token) > _LONGEST or not token.isascii():
            raise _invalid(f"{provider.id}: not a token")
        header = extract_compact(token.encode()).headers()
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in provider.id_token_algorithms:
            raise _invalid(f"{provider.id}: signed in a way that is not allowed")
        if key_id is not None and not isinstance(key_id, str):
            raise _invalid(f"{provider.id}: not a key's id")
        known = self._keys.setdefault(provider.id, _Keys())
        now = self._clock()
        is_old = known.read is None or now - known.read >= KEYS_KEPT
        found = [] if is_old else _matching(known.keys, key_id, algorithm)
        if not found:
            await self._read(known, provider, jwks, asked_at=now)
            found = _matching(known.keys, key_id, algorithm)
        if len(found) != 1:
            raise _invalid(f"{provider.id}: no key of its issuer fits")
        return found[0]

    async def _read(
        self, known: _Keys, provider: Provider, jwks: str, *, asked_at: datetime
    ) -> None:
        async with known.looking:
            if known.read is not None and asked_at - known.read < KEYS_PAUSE:
                return
            try:
                answer = await self._outgoing.get(jwks)
            except ProviderUnavailable:
                if not known.keys:
                    raise
                return  # the keys of an hour ago serve better than none
            listed = answer.get("keys") if isinstance(answer, dict) else None
            if not isinstance(listed, list):
                raise ProviderUnavailable(f"{provider.id}: its keys cannot be read")
            known.keys = [key for entry in listed[:_MOST_KEYS] if (key := _public_key(entry))]
            known.read = asked_at


def _public_key(entry: Json) -> Key | None:
    """A key of a set, unless it is of a kind that verifies nothing here."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, (RSAKey, ECKey, OKPKey)) and not key.is_private else None


def _matching(keys: list[Key], key_id: str | None, algorithm: str) -> list[Key]:
    """The keys a token may be signed with; without an id it must be the only one of its kind."""
    kind = {"R": "RSA", "P": "RSA", "E": "EC"}[algorithm[0]]
    if algorithm.startswith("Ed"):
        kind = "OKP"
    fitting = [
        key for key in keys if key.key_type == kind and key.get("alg", algorithm) == algorithm
    ]
    return fitting if key_id is None else [key for key in fitting if key.kid == key_id]


def _issuers(provider: Provider, claims: Mapping[str, Json]) -> list[str]:
    return [*provider.id_token_issuers, expected_issuer(provider, claims)]


def expected_issuer(provider: Provider, claims: Mapping[str, Json]) -> str:
    """The issuer's name, with what it takes from the token itself filled in.

    Raises ``OAuthFailure`` where the token has no such claim.
    """

    def fill(match: re.Match[str]) -> str:
        value = claims.get(match.group(1))
        if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9\-]{1,64}", value):
            raise _invalid(f"{provider.id}: has no {match.group(1)}")
        return value

    return _PLACEHOLDER.sub(fill, provider.issuer or "")


def _check_nonce(
    provider: Provider, claims: Mapping[str, Json], nonce: str | None, *, may_be_hashed: bool
) -> None:
    stated = claims.get("nonce")
    if nonce is None and (stated is None or not provider.nonce):
        return
    expected = [nonce or ""]
    if may_be_hashed and provider.id_token_nonce_hash and nonce:
        expected.append(hashlib.sha256(nonce.encode("utf-8", "replace")).hexdigest())
    if not isinstance(stated, str) or not nonce:
        raise _invalid(f"{provider.id}: no nonce on one side")
    matches = [compare_digest(stated.encode(), text.encode()) for text in expected]
    if not any(matches):
        raise _invalid(f"{provider.id}: another nonce")


def _invalid(detail: str) -> OAuthFailure:
    return OAuthFailure("invalid_id_token", detail)
