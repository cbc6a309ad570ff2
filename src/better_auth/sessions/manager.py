"""The session manager: everything that happens to a session happens here.

A session is created, resolved at each request, refreshed when it has aged, rotated when its
user's privileges change, listed, revoked and, past its end, purged. Each of these that writes is
one conditional statement whose row count says who won: a refresh that lost to a revocation finds
no session, and two revocations of one session end it once.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from better_auth.adapters.base import NEWEST_FIRST, DatabaseAdapter, Verbs, gt, in_, le, ne
from better_auth.clock import Clock
from better_auth.config import SessionConfig
from better_auth.endings import ENDS, Change
from better_auth.errors import (
    AuthError,
    DatabaseUnavailable,
    Forbidden,
    ReferenceViolation,
    Unauthorized,
)
from better_auth.events import (
    EventBus,
    SecurityChanged,
    SessionCreated,
    SessionCreating,
    SessionsExpired,
    SessionsRevoked,
    SessionsRevoking,
    SessionUpdated,
    SessionUpdating,
)
from better_auth.models import Found, Principal, Record, Session, User, Verification, impersonator
from better_auth.sessions.making import Client, SessionMaker
from better_auth.sessions.purge import BATCH, purge
from better_auth.sessions.tokens import TokenVault, new_token
from better_auth.sessions.watch import SessionWatch

_NOTHING = timedelta(0)


class SessionManager:
    """Sessions of one application: their policy (``config``) applied to their rows."""

    def __init__(
        self,
        database: DatabaseAdapter,
        tokens: TokenVault,
        config: SessionConfig,
        events: EventBus,
        clock: Clock,
        session_model: type[Session] = Session,
        expiring: Sequence[type[Record]] = (Session, Verification),
    ) -> None:
        """``expiring``: the records with an ``expires_at`` after which nobody needs them."""
        self._expiring = expiring
        self.tokens = tokens
        self.config = config
        self._database = database
        self._events = events
        self._clock = clock
        self.model = session_model
        self._maker = SessionMaker(session_model, tokens, config)
        self._refresh_when_left = (
            timedelta(0) if config.disable_refresh else config.expires_in - config.update_age
        )
        self._bars: list[Callable[[User], bool]] = []
        self._watchers: list[Callable[[Principal | None], None]] = []
        self.revocations = SessionWatch(
            database, events, clock, config.cache.max_staleness.total_seconds()
        )
        self.list_impersonations = False
        """Whether a user's own listing shows the sessions in which an admin impersonates them."""

    def bar(self, is_barred: Callable[[User], bool]) -> None:
        """Let no session of a user for whom ``is_barred`` is true count, whoever made it when.

        It is asked of the user as the database has them, at every check.
        """
        self._bars.append(is_barred)

    @property
    def is_watched(self) -> bool:
        """Whether anybody is told of checks."""
        return bool(self._watchers)

    def watch(self, seen: Callable[[Principal | None], None]) -> None:
        """Tell ``seen`` what every check finds from now on."""
        self._watchers.append(seen)

    async def create(
        self,
        user: User,
        client: Client = Client(),
        *,
        remember: bool = True,
        lifetime: timedelta | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Session:
        """A new session for ``user``; the only moment its token is in the open.

        ``remember=False`` makes a short session that is never extended, as does a ``lifetime`` of
        its own. ``fields`` sets plugins' session fields. Raises ``Forbidden`` at the limit of
        sessions (policy ``refuse``), ``Unauthorized`` for a user deleted meanwhile, and whatever
        a handler of ``SessionCreating`` refuses with.
        """
        session = self._maker.make(
            user, client, self._clock(), remember=remember, lifetime=lifetime, fields=fields or {}
        )
        session = (await self._events.emit(SessionCreating(session, user))).session
        evicted: list[Session] = []
        try:
            if self.config.max_sessions_per_user is None or impersonator(session):
                await self._database.insert(session)
            else:
                async with self._database.transaction() as verbs:
                    evicted = await self._insert_within_limit(verbs, session)
        except ReferenceViolation:
            raise Unauthorized from None
        if evicted:
            await self._events.emit(SessionsRevoked(user.id, evicted))
        await self._events.emit(SessionCreated(session, user))
        return session

    async def _insert_within_limit(self, verbs: Verbs, session: Session) -> list[Session]:
        """Insert, making room first; the sessions that had to go. Holds the user's row, so that
        two sign-ins at once cannot both take the last place."""
        limit = self.config.max_sessions_per_user or 1
        await verbs.lock(User, session.user_id)
        live: dict[str, Any] = {"user_id": session.user_id, "expires_at": gt(self._clock())}
        found = await verbs.find(Session, order_by=NEWEST_FIRST, **live)
        there = [old for old in found if impersonator(old) is None]
        evicted: list[Session] = []
        if len(there) >= limit:
            if self.config.max_sessions_policy == "refuse":
                raise Forbidden("This user has too many sessions", "TOO_MANY_SESSIONS")
            surplus = [old.id for old in there[limit - 1 :]]
            evicted = await verbs.take(Session, id=in_(surplus))
        await verbs.insert(session)
        return evicted

    async def resolve(self, token: str, *, refresh: bool = True) -> Principal | None:
        """Who holds ``token``: the live session and its user, or None.

        The one way in for every door. Refreshes the session when that is due, unless ``refresh``
        is off; the principal then says so, and a door that was given a cookie sends it again.
        """
        return self.at_hand(token) or await self.look_up(token, refresh=refresh)

    async def look_up(self, token: str, *, refresh: bool = True) -> Principal | None:
        """The same for who has asked :meth:`at_hand` already, and was told nothing."""
        principal = None
        now = self._clock()
        for key in self.tokens.keys(token):
            found = await self._database.session_with_user(key)
            if found is not None:
                if found.session.expires_at > now:
                    principal = self._holder(found, token)
                if refresh and principal is not None and self._has_aged(found.session, now):
                    principal = await self._refresh(found.session, found.user, now)
                break
        for seen in self._watchers:
            seen(principal)
        return principal

    def at_hand(self, token: str) -> Principal | None:
        """What :meth:`resolve` would answer, where that is known without waiting.

        None says nothing: resolve. It spares a door that is asked at every request a coroutine.
        """
        if not self._database.remembers:
            return None
        for key in self.tokens.keys(token):
            found = self._database.at_hand(key)
            if found is not None:
                principal = found.holder
                if principal is None or self._bars:
                    principal = self._holder(found, token)
                if principal is None or self._clock() >= found.holds_until:
                    break  # what the database holds decides, whatever is in memory
                for seen in self._watchers:
                    seen(principal)
                return principal
        return None

    def _holder(self, found: Found, token: str) -> Principal | None:
        """Whoever came with ``token`` as the holder of the session ``found``, if it counts."""
        if found.holder is None:
            session = found.session
            session.__dict__["token"] = token  # it is found by this token only
            found.holder = Principal(session, found.user, False, self)
            found.holds_until = session.expires_at - self._aged_before_end(session)
        for is_barred in self._bars:
            if is_barred(found.user):
                return None
        return found.holder

    def principal(self, session: Session, user: User) -> Principal:
        """Who holds ``session``, for those who have just made or changed it."""
        return Principal(session, user, False, self)

    async def until_ended(self, session: Session) -> None:
        """Return when ``session`` has been revoked, by whatever process, or has expired."""
        await self.revocations.until_ended(session)

    def _has_aged(self, session: Session, now: datetime) -> bool:
        """Whether ``session`` has expired or its refresh is due."""
        return session.expires_at - now <= self._aged_before_end(session)

    def _aged_before_end(self, session: Session) -> timedelta:
        """How long before its end ``session`` is due for a refresh."""
        return self._refresh_when_left if session.remember else _NOTHING

    def needs_refresh(self, session: Session) -> bool:
        """Whether resolving ``session`` would extend it now."""
        now = self._clock()
        latest = now + self.config.expires_in
        if session.ends_at is not None:
            latest = min(latest, session.ends_at)
        return (
            not self.config.disable_refresh
            and self._has_aged(session, now)
            and latest > session.expires_at
        )

    async def _refresh(self, session: Session, user: User, now: datetime) -> Principal | None:
        """Move the end of an aged session, unless it was revoked in the meantime."""
        expires_at = now + self.config.expires_in
        if session.ends_at is not None:
            expires_at = min(expires_at, session.ends_at)
        if self.config.disable_refresh or expires_at <= session.expires_at:
            return Principal(session, user, False, self)
        changes: dict[str, Any] = {"expires_at": expires_at, "updated_at": now}
        current_key = self.tokens.key(session.token)
        if session.token_key != current_key:
            # Made under an older secret: move it to the current one, so that the old can retire.
            changes["token_key"] = current_key
            changes["sealed_token"] = self.tokens.seal(session.id, session.token)
        try:
            changes = (await self._events.emit(SessionUpdating(session, changes))).changes
        except AuthError:
            return Principal(session, user, False, self)
        seen = {"expires_at": session.expires_at, "token_key": session.token_key}
        try:
            is_moved = await self._database.update(Session, changes, id=session.id, **seen)
        except DatabaseUnavailable:
            return Principal(session, user, False, self)  # it was read, and is live: later will do
        if is_moved:
            session = session.revised(changes)
            await self._events.emit(SessionUpdated(session, changes))
            return Principal(session, user, True, self)
        for key in self.tokens.keys(session.token):
            found = await self._database.session_with_user(key)
            if found is not None and found.session.expires_at > now:
                return self.principal(found.session.revised(token=session.token), found.user)
        return None

    def is_fresh(self, session: Session) -> bool:
        """Whether credentials were proven within ``fresh_age`` (OWASP ASVS 5.0, 7.5.1)."""
        age = self.config.fresh_age
        return not age or self._clock() - session.authenticated_at < age

    async def update(self, session: Session, changes: Mapping[str, Any]) -> Session:
        """Write plugins' fields of a live session. Raises ``Unauthorized`` if it has ended."""
        return await self._change(session, dict(changes))

    async def rewrite(self, changes: Mapping[str, Any], **where: Any) -> int:
        """Write plugins' fields of every session that meets ``where``; how many."""
        return await self._database.update(Session, changes, **where)

    async def rotate(self, session: Session, *, authenticated: bool = False) -> Session:
        """The same session under a new token; the old one is dead at once.

        For every change of privilege (OWASP ASVS 5.0, 7.2.4). ``authenticated``: credentials were
        proven for it, so the session is fresh again. Raises ``Unauthorized`` if it has ended.
        """
        token = new_token()
        changes: dict[str, Any] = {
            "token_key": self.tokens.key(token),
            "sealed_token": self.tokens.seal(session.id, token),
        }
        if authenticated:
            changes["authenticated_at"] = self._clock()
        rotated = await self._change(session, changes)
        return rotated.revised(token=token)

    async def _change(self, session: Session, changes: dict[str, Any]) -> Session:
        now = self._clock()
        changes["updated_at"] = now
        changes = (await self._events.emit(SessionUpdating(session, changes))).changes
        still = {"token_key": session.token_key, "expires_at": gt(now)}
        if not await self._database.update(Session, changes, id=session.id, **still):
            raise Unauthorized
        session = session.revised(changes)
        await self._events.emit(SessionUpdated(session, changes))
        return session

    async def list_for(self, user_id: str, *, current: Session | None = None) -> list[Session]:
        """All live sessions of a user, newest first, with the token that may be shown of each.

        ``current`` keeps its own token whatever ``list_tokens`` says: its holder has it already.
        An impersonator is shown handles: what the user's own devices hold is not theirs to have.
        """
        for_impersonator = current is not None and impersonator(current) is not None
        listed = []
        for session in await self._live(user_id):
            if current is not None and session.id == current.id:
                token = current.token
            elif impersonator(session) and not self.list_impersonations and not for_impersonator:
                continue
            elif for_impersonator:
                token = self.tokens.handle(session.id)
            else:
                token = self._shown(session)
            listed.append(session if session.token == token else session.revised(token=token))
        return listed

    async def list_all_for(self, user_id: str) -> list[Session]:
        """The live sessions of a user for somebody else to see: with handles for tokens."""
        sessions = await self._live(user_id)
        return [session.revised(token=self.tokens.handle(session.id)) for session in sessions]

    async def _live(self, user_id: str) -> list[Session]:
        """The live sessions of a user, newest first."""
        return await self._database.live_sessions(user_id, self._clock())

    def _shown(self, session: Session) -> str:
        """What the user is shown as the token of ``session``, noted in the record, which may be
        remembered: opening a sealed token takes longer than finding its row."""
        if not session.token:
            session.__dict__["token"] = self.tokens.shown(session)
        return session.token

    async def revoke(self, session: Session) -> bool:
        """End this session; whether it was this call that ended it."""
        return bool(await self._end(session.user_id, id=session.id))

    async def revoke_id(self, user_id: str, session_id: str) -> list[Session]:
        """End the user's session with this id; the one ended, or none."""
        return await self._end(user_id, id=session_id)

    async def revoke_token(self, user_id: str, token: str) -> list[Session]:
        """End the user's session with this token or handle; the one ended, or none.

        Another user's token ends nothing and is not told from one that does not exist.
        """
        session_id = self.tokens.id_of_handle(token)
        if session_id is not None:
            return await self._end(user_id, id=session_id)
        keys = self.tokens.keys(token)
        return await self._end(user_id, token_key=in_(keys)) if keys else []

    async def revoke_all(self, user_id: str, *, except_id: str | None = None) -> list[Session]:
        """End all sessions of a user, or all but one; the live ones that were ended."""
        if except_id is None:
            return await self._end(user_id)
        return await self._end(user_id, id=ne(except_id))

    async def revoke_everyone(self, batch: int = 1000) -> int:
        """End all sessions of everybody, those begun meanwhile too; how many live ones were ended.

        Nothing is asked of when they began, which clocks that differ would tell.
        """
        now = self._clock()
        count = 0
        while taken := await self._database.take(Session, limit=batch):
            by_user: dict[str, list[Session]] = {}
            for session in taken:
                if session.expires_at > now:
                    by_user.setdefault(session.user_id, []).append(session)
            for user_id, ended in by_user.items():
                count += len(ended)
                await self._events.emit(SessionsRevoked(user_id, ended))
        return count

    async def end_after(
        self,
        change: Change,
        user_id: str,
        *,
        current: Session | None = None,
        keep_sessions: bool = False,
    ) -> list[Session]:
        """End what does not survive ``change`` (``better_auth.endings``); the sessions ended.

        ``current`` is the session whose request made the change, if it was the user's own.
        ``keep_sessions`` ends only the rest, where the user asked for that.
        """
        ended: list[Session] = []
        match "none" if keep_sessions else ENDS[change].sessions:
            case "this" if current is not None:
                ended = await self.revoke_id(user_id, current.id)
            case "others":
                ended = await self.revoke_all(user_id, except_id=current.id if current else None)
            case "all":
                ended = await self.revoke_all(user_id)
        await self._events.emit(SecurityChanged(user_id, change))
        return ended

    async def _end(self, user_id: str, **where: Any) -> list[Session]:
        now = self._clock()
        if self._events.listens(SessionsRevoking):
            meant = await self._database.find(Session, user_id=user_id, expires_at=gt(now), **where)
            if meant:
                await self._events.emit(SessionsRevoking(user_id, meant))
        taken = await self._database.take(Session, user_id=user_id, **where)
        ended = [session for session in taken if session.expires_at > now]
        if ended:
            await self._events.emit(SessionsRevoked(user_id, ended))
        return ended

    async def count_expired(self) -> int:
        """How many rows :meth:`purge` would delete now."""
        past = le(self._clock())
        return sum([await self._database.count(model, expires_at=past) for model in self._expiring])

    async def purge(self, batch: int = BATCH) -> AsyncIterator[int]:
        """Delete expired sessions, verifications and plugins' rows, ``batch`` at a time; the
        number of rows gone after each, so that a caller can show progress or stop between."""
        past, purged = self._clock(), 0
        for model in self._expiring:
            async for gone in purge(self._database, model, past, batch):
                purged += gone if model.table_name == Session.table_name else 0
                yield gone
        if purged:
            await self._events.emit(SessionsExpired(purged))
