"""The audit trail: who did what to whom, kept for a time and longer than whom it is about.

Every row is one security event (:class:`Kind` has them all), written when it has happened. A trail
that cannot be written is logged, and fails nothing. Nothing in it opens anything, and nothing names
somebody who is no user.
"""

from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Annotated, Any, ClassVar
from uuid import uuid4

from pydantic import Field

from better_auth.adapters.base import NEWEST_FIRST, gt, in_, lt
from better_auth.clock import UtcDatetime, to_milliseconds
from better_auth.endings import Change
from better_auth.errors import ConfigurationError
from better_auth.events import (
    AccountCreated,
    AccountsDeleted,
    ImpersonationStarted,
    SecurityChanged,
    SessionCreated,
    SessionsRevoked,
    SignInFailed,
    UserCreated,
    UserDeleted,
    on,
)
from better_auth.http.body import Input
from better_auth.http.call import Call
from better_auth.http.endpoints import Endpoint, get
from better_auth.models import Column, Fields, Record, impersonator
from better_auth.plugins.base import Plugin
from better_auth.sessions import Client

DETAIL_LENGTH = 255


class Kind(StrEnum):
    """What an event of the trail may be."""

    USER_CREATED = "user.created"
    USER_DELETED = "user.deleted"
    ACCOUNT_CREATED = "account.created"
    """A way of signing in was added; the detail says which."""
    ACCOUNT_DELETED = "account.deleted"
    """A way of signing in was taken away; the detail says which."""
    SESSION_CREATED = "session.created"
    SESSION_REVOKED = "session.revoked"
    SIGN_IN_FAILED = "sign_in.failed"
    """The detail says by which method and why."""
    SECURITY_CHANGED = "security.changed"
    """The detail says what: a ``Change`` of ``better_auth.endings``."""
    IMPERSONATION_STARTED = "impersonation.started"
    IMPERSONATION_ENDED = "impersonation.ended"
    """Before its time; one that expires just ends."""


IMPERSONATIONS = (Kind.IMPERSONATION_STARTED, Kind.IMPERSONATION_ENDED)

_CALL: ContextVar[Call | None] = ContextVar("better_auth_audited_call", default=None)
"""The call that is running, where it came by HTTP."""

_numbers = count()


def _new_id() -> str:
    """An id that sorts after those this process made before, so that what happened in the same
    millisecond stays in order."""
    return f"{next(_numbers):012x}-{uuid4()}"


class AuditEvent(Record):
    """Something that happened to ``user_id`` (None: to nobody who is a user).

    ``actor_id`` is who did it, where that was not the user. Ids refer to nothing in the database:
    the trail outlives what it tells of.
    """

    table_name: ClassVar[str] = "audit_event"
    # Unique because ids are; as an index it is a user's events in the order they are read.
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("user_id", "created_at", "id"),)

    id: Annotated[str, Column(length=64)] = Field(default_factory=_new_id)
    type: Annotated[str, Column(length=64)]
    user_id: Annotated[str | None, Column(length=64)] = None
    actor_id: Annotated[str | None, Column(length=64)] = None
    session_id: Annotated[str | None, Column(length=64)] = None
    ip_address: Annotated[str | None, Column(length=64)] = None
    user_agent: Annotated[str | None, Column(length=512)] = None
    detail: Annotated[str | None, Column(length=DETAIL_LENGTH)] = None
    created_at: Annotated[UtcDatetime, Column(index=True)]
    expires_at: Annotated[UtcDatetime, Column(index=True)] = Field(exclude=True)


class SecurityEvents(Fields):
    """A user's security events, newest first."""

    events: list[AuditEvent]


class Page(Input):
    """Which events: at most ``limit``, from before an instant (and, with ``beforeId``, of that
    instant from before that event, so that no page misses what the one before cut off)."""

    limit: int = Field(default=100, ge=1, le=100)
    before: UtcDatetime | None = None
    before_id: str | None = Field(default=None, max_length=64)


class AuditPlugin(Plugin):
    """A trail of security events in the table ``audit_event``, each kept for ``retention``
    (``AuthConfig.audit_retention`` if left out).

    Whoever calls over HTTP is named as actor, with address and user agent; in process only what
    the event itself knows is written.
    """

    name = "Audit"
    records = [AuditEvent]

    def __init__(self, *, retention: timedelta | None = None) -> None:
        """Raises ``ConfigurationError`` for a retention that keeps nothing."""
        if retention is not None and retention <= timedelta(0):
            raise ConfigurationError("AuditPlugin: retention must be longer than nothing")
        self._retention = retention

    @property
    def retention(self) -> timedelta:
        """How long an event is kept."""
        return self._retention or self.context.config.audit_retention

    # Reading

    async def events_for(
        self,
        user_id: str,
        *,
        limit: int = 100,
        before: datetime | None = None,
        before_id: str | None = None,
    ) -> list[AuditEvent]:
        """What happened to a user, newest first; impersonations included.

        To page, give ``created_at`` and ``id`` of the last event there was as ``before`` and
        ``before_id``.
        """
        return await self._find(limit, before, before_id, user_id=user_id)

    async def latest(self, *, limit: int = 100) -> list[AuditEvent]:
        """What happened to anybody, newest first."""
        return await self._find(limit)

    async def _find(
        self, limit: int, before: datetime | None = None, before_id: str | None = None, **where: Any
    ) -> list[AuditEvent]:
        find, order = self.context.database.find, NEWEST_FIRST
        where["expires_at"] = gt(self.context.clock())
        if before is None:
            return await find(AuditEvent, order_by=order, limit=limit, **where)
        before = to_milliseconds(before)
        found: list[AuditEvent] = []
        if before_id is not None:
            where |= {"created_at": before, "id": lt(before_id)}
            found = await find(AuditEvent, order_by=order, limit=limit, **where)
            del where["id"]
        where["created_at"] = lt(before)
        left = limit - len(found)
        return (
            found + await find(AuditEvent, order_by=order, limit=left, **where) if left else found
        )

    @get("/list-security-events", access="session")
    async def list_security_events(self, call: Call, query: Page) -> SecurityEvents:
        """List what happened to the current user, newest first.

        Impersonations are shown where listings of sessions show them.
        """
        user_id = (await call.require()).user.id
        where: dict[str, Any] = {"user_id": user_id}
        if not self.context.sessions.list_impersonations:
            where["type"] = in_([kind for kind in Kind if kind not in IMPERSONATIONS])
        events = await self._find(query.limit, query.before, query.before_id, **where)
        return SecurityEvents(events=events)

    # Knowing who calls

    def around(self, endpoint: Endpoint) -> Endpoint:
        """Note who calls, for as long as the call lasts."""
        if endpoint.route.method == "GET" and endpoint.route.access == "session":
            return endpoint  # reads, which nobody need be named for
        function = endpoint.function

        async def noted(call: Call, **arguments: Any) -> Any:
            token = _CALL.set(call)
            try:
                return await function(call, **arguments)
            finally:
                _CALL.reset(token)

        return replace(endpoint, function=noted)

    # Writing

    @on(UserCreated)
    async def user_created(self, event: UserCreated) -> None:
        """Tell that there is a new user."""
        await self._write(self._event(Kind.USER_CREATED, event.user.id))

    @on(UserDeleted)
    async def user_deleted(self, event: UserDeleted) -> None:
        """Tell that a user is gone."""
        await self._write(self._event(Kind.USER_DELETED, event.user.id))

    @on(AccountCreated)
    async def account_created(self, event: AccountCreated) -> None:
        """Tell of a new way of signing in."""
        kind, account = Kind.ACCOUNT_CREATED, event.account
        await self._write(self._event(kind, account.user_id, detail=account.provider_id))

    @on(AccountsDeleted)
    async def accounts_deleted(self, event: AccountsDeleted) -> None:
        """Tell of each way of signing in that is no more."""
        for account in event.accounts:
            kind = Kind.ACCOUNT_DELETED
            await self._write(self._event(kind, event.user_id, detail=account.provider_id))

    @on(SessionCreated)
    async def session_created(self, event: SessionCreated) -> None:
        """Tell who signed in; an impersonation is told as such."""
        session = event.session
        if impersonator(session) is None:
            client = Client(session.ip_address, session.user_agent)
            kind = Kind.SESSION_CREATED
            await self._write(self._event(kind, session.user_id, session.id, client=client))

    @on(SessionsRevoked)
    async def sessions_revoked(self, event: SessionsRevoked) -> None:
        """Tell of every session that was ended, and whose impersonation it was."""
        rows = []
        for session in event.sessions:
            admin_id = impersonator(session)
            kind = Kind.IMPERSONATION_ENDED if admin_id else Kind.SESSION_REVOKED
            rows.append(self._event(kind, event.user_id, session.id, actor_id=admin_id))
        await self._write(*rows)

    @on(SecurityChanged)
    async def security_changed(self, event: SecurityChanged) -> None:
        """Tell what changed; signing out and deletion are told as what they end."""
        if event.change not in (Change.SIGNED_OUT, Change.DELETED):
            kind = Kind.SECURITY_CHANGED
            await self._write(self._event(kind, event.user_id, detail=event.change.value))

    @on(ImpersonationStarted)
    async def impersonation_started(self, event: ImpersonationStarted) -> None:
        """Tell who is whom from now on."""
        kind = Kind.IMPERSONATION_STARTED
        row = self._event(kind, event.user_id, event.session_id, actor_id=event.admin_id)
        await self._write(row)

    @on(SignInFailed)
    async def sign_in_failed(self, event: SignInFailed) -> None:
        """Tell how and why somebody did not get in; who it should have been, only of users."""
        client = Client(event.ip_address, event.user_agent)
        detail = f"{event.method}: {event.reason}"
        kind = Kind.SIGN_IN_FAILED
        await self._write(self._event(kind, event.user_id, client=client, detail=detail))

    def _event(
        self,
        kind: Kind,
        user_id: str | None,
        session_id: str | None = None,
        *,
        actor_id: str | None = None,
        client: Client | None = None,
        detail: str | None = None,
    ) -> AuditEvent:
        """A row of now; what is not given is taken from the call that is running, if any."""
        call = _CALL.get()
        if client is None:
            client = call.client if call else Client()
        if actor_id is None and call is not None and call.known_principal is not None:
            caller = call.known_principal
            actor_id = impersonator(caller.session) or caller.user.id
        now = self.context.clock()
        return AuditEvent(
            type=kind,
            user_id=user_id,
            actor_id=actor_id if actor_id != user_id else None,
            session_id=session_id,
            ip_address=client.ip_address,
            user_agent=client.bounded_user_agent,
            detail=detail and detail[:DETAIL_LENGTH],
            created_at=now,
            expires_at=now + self.retention,
        )

    async def _write(self, *rows: AuditEvent) -> None:
        """Store ``rows`` together. What goes wrong is the event bus's to log."""
        async with self.context.database.transaction() as verbs:
            for row in rows:
                await verbs.insert(row)
