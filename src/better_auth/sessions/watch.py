"""Telling open connections that their session has ended.

What this process ends is told at once. What others end is found by looking, once every
``interval`` for all watched sessions together, and at once where the database tells of changes.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from better_auth.adapters.base import DatabaseAdapter, gt, in_
from better_auth.clock import Clock
from better_auth.errors import DatabaseUnavailable
from better_auth.events import EventBus, SessionsRevoked
from better_auth.models import Session

_IN_ONE_QUERY = 500


class SessionWatch:
    """The sessions that somebody waits for the end of."""

    def __init__(
        self, database: DatabaseAdapter, events: EventBus, clock: Clock, interval: float
    ) -> None:
        """``interval``: seconds between two looks."""
        self._database = database
        self._clock = clock
        self._interval = interval
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        events.add(SessionsRevoked, self._revoked)

    async def until_ended(self, session: Session) -> None:
        """Return when ``session`` has been revoked or has expired, wherever that happened."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(session.id, set()).add(ended)
        if self._looking is None or self._looking.done():
            self._nudge = asyncio.Event()
            self._nudge.set()  # it may have ended before anybody waited
            self._looking = asyncio.get_running_loop().create_task(self._look())
        else:
            self._nudge.set()
        try:
            await ended
        finally:
            waiting = self._waiting.get(session.id)
            if waiting is not None:
                waiting.discard(ended)
                if not waiting:
                    del self._waiting[session.id]

    def nudge(self) -> None:
        """Something has changed in the database: look now."""
        self._nudge.set()

    async def stop(self) -> None:
        """Stop looking; whoever still waits is told that the application is going."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
            self._looking = None
        self._tell(list(self._waiting))

    def _revoked(self, event: SessionsRevoked) -> None:
        self._tell(session.id for session in event.sessions)

    def _tell(self, ended: Iterable[str]) -> None:
        for session_id in ended:
            for future in self._waiting.pop(session_id, ()):
                if not future.done():
                    future.set_result(None)

    async def _look(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudge.wait(), self._interval)
            self._nudge.clear()
            watched = list(self._waiting)
            for start in range(0, len(watched), _IN_ONE_QUERY):
                ids = watched[start : start + _IN_ONE_QUERY]
                # What cannot be known now has not ended for that.
                with suppress(DatabaseUnavailable):
                    self._tell(set(ids) - await self._live(ids))

    async def _live(self, ids: Sequence[str]) -> set[str]:
        where: dict[str, Any] = {"expires_at": gt(self._clock())}
        try:
            found = await self._database.find(Session, id=in_(ids), **where)
            return {session.id for session in found}
        except ValidationError:
            # One that cannot be read, as a later release's may be, is no reason not to tell of the
            # others: counting reads none.
            return {one for one in ids if await self._database.count(Session, id=one, **where)}
