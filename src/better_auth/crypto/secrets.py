"""Keys from the application's secrets: fingerprints, seals and signatures.

Every use has a :class:`Purpose`, and each pair of secret and purpose a key of its own (HKDF,
RFC 5869), so that nothing minted for one door opens another. Secrets rotate: the first of the
list makes everything new, all of them recognise what they made before.
"""

import hashlib
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from enum import StrEnum
from hmac import compare_digest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_KEY_ID_BYTES = 4


class Purpose(StrEnum):
    """What a key is for; part of the key itself."""

    SESSION_TOKEN = "session-token"
    SESSION_HANDLE = "session-handle"
    TWO_FACTOR_CHALLENGE = "two-factor-challenge"
    TOTP_SECRET = "totp-secret"
    OTP = "otp"
    BACKUP_CODE = "backup-code"
    TRUSTED_DEVICE = "trusted-device"
    OAUTH_STATE = "oauth-state"
    OAUTH_BROWSER = "oauth-browser"
    PROVIDER_TOKEN = "provider-token"
    COOKIE = "cookie"
    RESET_PASSWORD = "reset-password"
    VERIFY_EMAIL = "verify-email"
    CHANGE_EMAIL = "change-email"
    DELETE_ACCOUNT = "delete-account"
    ONE_TIME_TOKEN = "one-time-token"
    MAGIC_LINK = "magic-link"
    MAGIC_LINK_BROWSER = "magic-link-browser"
    EMAIL_CODE = "email-code"
    EMAIL_CODE_BROWSER = "email-code-browser"


class Keyring:
    """The keys of one application.

    >>> ring = Keyring(["a secret of at least 32 characters"])
    >>> ring.open("demo", ring.seal("demo", "hello", bound_to="row 1"), bound_to="row 1")
    'hello'
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        """``secrets``: at least one, the current one first."""
        self._secrets = [secret.encode() for secret in secrets]
        self._hashers: dict[str, list[hashlib.blake2b]] = {}
        self._ciphers: dict[str, dict[bytes, AESGCM]] = {}

    def fingerprint(self, purpose: str, value: str) -> str:
        """A keyed hash of ``value``: 64 hexadecimal characters, useless without the secret."""
        return self.fingerprints(purpose, value)[0]

    def fingerprints(self, purpose: str, value: str) -> list[str]:
        """``value``'s fingerprint under each secret, the current one first (BLAKE2b, RFC 7693)."""
        hashers = self._hashers.get(purpose) or self._make_hashers(purpose)
        encoded = value.encode()
        result = []
        for hasher in hashers:
            keyed = hasher.copy()
            keyed.update(encoded)
            result.append(keyed.hexdigest())
        return result

    def is_fingerprint(self, purpose: str, value: str, fingerprint: str) -> bool:
        """Whether ``fingerprint`` is ``value``'s under any secret; constant time."""
        matches = [
            compare_digest(candidate.encode(), fingerprint.encode())
            for candidate in self.fingerprints(purpose, value)
        ]
        return any(matches)

    def seal(self, purpose: str, text: str, *, bound_to: str) -> str:
        """``text`` encrypted and authenticated (AES-256-GCM), to be opened only with the same
        purpose and the same ``bound_to`` (the row it belongs to, so that no two can be swapped)."""
        ciphers = self._ciphers.get(purpose) or self._make_ciphers(purpose)
        key_id, cipher = next(iter(ciphers.items()))
        nonce = os.urandom(_NONCE_BYTES)
        sealed = cipher.encrypt(nonce, text.encode(), bound_to.encode())
        return urlsafe_b64encode(key_id + nonce + sealed).decode()

    def open(self, purpose: str, sealed: str, *, bound_to: str) -> str | None:
        """What :meth:`seal` sealed; None if it was sealed under a secret no longer listed, for
        another purpose or row, or was altered."""
        ciphers = self._ciphers.get(purpose) or self._make_ciphers(purpose)
        try:
            raw = urlsafe_b64decode(sealed)
        except ValueError:
            return None
        cipher = ciphers.get(raw[:_KEY_ID_BYTES])
        if cipher is None:
            return None
        nonce, body = raw[_KEY_ID_BYTES:][:_NONCE_BYTES], raw[_KEY_ID_BYTES + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, body, bound_to.encode()).decode()
        except (InvalidTag, ValueError):
            return None

    def _make_hashers(self, purpose: str) -> list[hashlib.blake2b]:
        keys = (self._derive(secret, f"fingerprint {purpose}") for secret in self._secrets)
        hashers = [hashlib.blake2b(key=key, digest_size=32) for key in keys]
        self._hashers[purpose] = hashers
        return hashers

    def _make_ciphers(self, purpose: str) -> dict[bytes, AESGCM]:
        ciphers: dict[bytes, AESGCM] = {}
        for secret in self._secrets:
            key_id = self._derive(secret, f"key id {purpose}")[:_KEY_ID_BYTES]
            ciphers.setdefault(key_id, AESGCM(self._derive(secret, f"seal {purpose}")))
        self._ciphers[purpose] = ciphers
        return ciphers

    @staticmethod
    def _derive(secret: bytes, use: str) -> bytes:
        info = f"better_auth/{use}".encode()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
