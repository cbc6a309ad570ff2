"""Sessions: the heart."""

from better_auth.sessions.making import Client
from better_auth.sessions.manager import SessionManager
from better_auth.sessions.tokens import TOKEN_PREFIX, TokenVault, new_token

__all__ = ["TOKEN_PREFIX", "Client", "SessionManager", "TokenVault", "new_token"]
