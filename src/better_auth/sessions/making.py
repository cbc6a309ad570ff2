"""A new session: its token, its end, where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from better_auth.config import SessionConfig
from better_auth.models import Session, User
from better_auth.sessions.tokens import TokenVault, new_token

USER_AGENT_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, as far as is known."""

    ip_address: str | None = None
    user_agent: str | None = None

    @property
    def bounded_user_agent(self) -> str | None:
        """The user agent, no longer than is stored."""
        return self.user_agent and self.user_agent[:USER_AGENT_LENGTH]


class SessionMaker:
    """Makes sessions of one application, as its ``config`` has them; stores nothing."""

    def __init__(self, model: type[Session], tokens: TokenVault, config: SessionConfig) -> None:
        self._model = model
        self._tokens = tokens
        self._config = config
        self._added = [
            (name, field)
            for name, field in model.model_fields.items()
            if name not in Session.model_fields and not field.is_required()
        ]

    def make(
        self,
        user: User,
        client: Client,
        now: datetime,
        *,
        remember: bool,
        lifetime: timedelta | None,
        fields: Mapping[str, Any],
    ) -> Session:
        """A session of ``user`` that begins ``now``, with its token in the open.

        ``lifetime`` (None: as configured) is never extended; ``fields`` are plugins'.
        """
        config, tokens = self._config, self._tokens
        session_id, token = str(uuid4()), new_token()
        default = config.expires_in if remember else config.short_expires_in
        ends_at = None if config.max_lifetime is None else now + config.max_lifetime
        expires_at = now + (lifetime or default)
        values: dict[str, Any] = {
            "id": session_id,
            "token": token,
            "user_id": user.id,
            "expires_at": min(expires_at, ends_at) if ends_at else expires_at,
            "created_at": now,
            "updated_at": now,
            "ip_address": client.ip_address,
            "user_agent": client.bounded_user_agent,
            "token_key": tokens.key(token),
            "sealed_token": tokens.seal(session_id, token),
            "remember": remember and lifetime is None,
            "ends_at": ends_at,
            "authenticated_at": now,
        }
        for name, field in self._added:
            values[name] = field.get_default(call_default_factory=True)
        return self._model.trusted({**values, **fields})
