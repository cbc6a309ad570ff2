"""Signed cookies as better-auth's server in TypeScript signs them: ``value.signature``.

The signature is HMAC-SHA256 under the secret itself, in padded base64, and covers the value alone.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence

_SIGNATURE_LENGTH = 44


class CookieSigner:
    """Signs with the first of ``secrets``; what any of them signed is recognised.

    >>> signer = CookieSigner(["a secret of at least 32 characters"])
    >>> signer.opened(signer.signed("token"))
    'token'
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [secret.encode() for secret in secrets]

    def signed(self, value: str) -> str:
        """``value`` with its signature."""
        signature = hmac.digest(self._keys[0], value.encode(), "sha256")
        return f"{value}.{b64encode(signature).decode()}"

    def opened(self, signed: str) -> str | None:
        """The value inside; None where the signature is not ours. Constant time."""
        value, _, signature = signed.rpartition(".")
        if not value or len(signature) != _SIGNATURE_LENGTH:
            return None
        try:
            given = b64decode(signature, validate=True)
            encoded = value.encode()
        except ValueError:
            return None
        signatures = [hmac.digest(key, encoded, "sha256") for key in self._keys]
        matches = [hmac.compare_digest(signature, given) for signature in signatures]
        return value if any(matches) else None
