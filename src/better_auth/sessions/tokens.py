"""Session tokens: how they are made, kept and recognised.

A token is ``session_`` and 256 random bits. What the database keeps of it is a keyed fingerprint
to find the row by and, for the listing, the token sealed; a stolen database opens nothing. A
*handle* looks like a token, names a session for revoking it, and authenticates nothing.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from better_auth.config import SessionConfig
from better_auth.crypto import Keyring, Purpose
from better_auth.models import Session

TOKEN_PREFIX = "session_"
TOKEN_BYTES = 32
MAX_TOKEN_LENGTH = 512
_HANDLE_MAC_LENGTH = 32


def new_token() -> str:
    """A fresh session token from the operating system's generator (OWASP ASVS 5.0, 7.2.3)."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


class TokenVault:
    """What is stored of a token, and what is shown of one."""

    def __init__(self, keyring: Keyring, config: SessionConfig) -> None:
        self._keyring = keyring
        self._plain = config.token_storage == "plain"
        self._handles = config.list_tokens == "handles"

    def key(self, token: str) -> str:
        """What a new row is found by: ``Session.token_key``."""
        return token if self._plain else self._keyring.fingerprint(Purpose.SESSION_TOKEN, token)

    def keys(self, token: str) -> list[str]:
        """What ``token``'s row may be found by, the likeliest first; none if it cannot be one."""
        if not token or len(token) > MAX_TOKEN_LENGTH:
            return []
        if not (token.isascii() and token.isprintable()):
            return []  # a database may refuse it, and with it the others it is asked for at once
        return [token] if self._plain else self._keyring.fingerprints(Purpose.SESSION_TOKEN, token)

    def seal(self, session_id: str, token: str) -> str | None:
        """What a new row keeps so that a listing can show the token; None where none will."""
        if self._plain or self._handles:
            return None
        return self._keyring.seal(Purpose.SESSION_TOKEN, token, bound_to=session_id)

    def shown(self, session: Session) -> str:
        """What a listing shows as the token of ``session``: the token, or else its handle."""
        if self._handles:
            return self.handle(session.id)
        if self._plain:
            return session.token_key
        opened = session.sealed_token and self._keyring.open(
            Purpose.SESSION_TOKEN, session.sealed_token, bound_to=session.id
        )
        return opened or self.handle(session.id)

    def handle(self, session_id: str) -> str:
        """The handle of a session: its id, authenticated, in the shape of a token."""
        mac = self._keyring.fingerprint(Purpose.SESSION_HANDLE, session_id)[:_HANDLE_MAC_LENGTH]
        encoded = urlsafe_b64encode(mac.encode() + session_id.encode()).decode()
        return TOKEN_PREFIX + encoded.rstrip("=")

    def id_of_handle(self, text: str) -> str | None:
        """The session id inside a handle; None for anything else."""
        if not text.startswith(TOKEN_PREFIX):
            return None
        encoded = text[len(TOKEN_PREFIX) :]
        try:
            raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except ValueError:
            return None
        mac, session_id = raw[:_HANDLE_MAC_LENGTH], raw[_HANDLE_MAC_LENGTH:]
        for known in self._keyring.fingerprints(Purpose.SESSION_HANDLE, session_id):
            if secrets.compare_digest(known[:_HANDLE_MAC_LENGTH].encode(), mac.encode()):
                return session_id
        return None
