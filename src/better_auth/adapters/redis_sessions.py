"""The verbs for sessions where Redis is involved: kept in Redis, or in the table with a copy there.

What is kept in Redis is changed by comparison: a session is read, the conditions are looked at
here, and it is written or deleted only if it is still what was read, otherwise looked at again. So
of any number of callers who take the same session one receives it, and a refresh never brings back
what was revoked.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from better_auth.adapters.base import Verbs, in_
from better_auth.adapters.conditions import arranged, meets, values_of
from better_auth.adapters.record_json import RecordJson
from better_auth.adapters.redis_fence import Fence
from better_auth.adapters.redis_store import Place, RedisStore
from better_auth.adapters.schema import stored_fields
from better_auth.clock import Clock, render_time
from better_auth.errors import ReferenceViolation, UniqueViolation
from better_auth.models import Session, User

Where = Mapping[str, Any]
Fenced = Callable[[], AbstractAsyncContextManager[Fence]]

MARGIN = 60_000
"""Milliseconds that a session stays past its end, so that clocks need not agree."""


class SessionVerbs(Protocol):
    """The verbs of ``Verbs``, for sessions alone."""

    async def insert(self, session: Session) -> None: ...

    async def find(
        self, order_by: str | Sequence[str], limit: int | None, offset: int, where: Where
    ) -> list[Session]: ...

    async def update(self, values: Mapping[str, Any], where: Where) -> int: ...

    async def take(self, limit: int | None, where: Where) -> list[Session]: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A session as it was found in Redis."""

    place: Place
    text: bytes
    session: Session


class SessionsInRedis:
    """Sessions that are in Redis and nowhere else."""

    def __init__(
        self,
        store: RedisStore,
        text: RecordJson[Session],
        clock: Clock,
        tables: Verbs,
        fenced: Fenced,
    ) -> None:
        """``tables`` is asked whether a user exists; ``fenced`` begins a change of them."""
        self._store = store
        self._text = text
        self._clock = clock
        self._tables = tables
        self._before = SessionsInTheTable(tables, fenced, clock)
        self._indexed = [
            name
            for name, _, column in stored_fields(text.model)
            if column.index and name not in ("user_id", "expires_at")
        ]

    async def insert(self, session: Session) -> None:
        """Raises ``ReferenceViolation`` without its user, ``UniqueViolation`` for a known id."""
        place, text = (session.user_id, session.id), self._text.encode(session)
        keep, now = self._milliseconds(session), render_time(self._clock())[:19]
        await self._locate(session)
        outcome = await self._store.put(place, text, now, keep, is_known=False)
        if outcome == "unknown" and await self._tables.find_one(User, id=session.user_id):
            outcome = await self._store.put(place, text, now, keep, is_known=True)
        if outcome == "put":
            return
        if outcome == "taken":
            raise UniqueViolation
        await self._unlocate([session])
        raise ReferenceViolation

    async def find(
        self, order_by: str | Sequence[str], limit: int | None, offset: int, where: Where
    ) -> list[Session]:
        found = {
            one.place: one.session
            async for batch in self._candidates(where)
            for one in batch
            if meets(one.session, where)
        }
        return arranged(list(found.values()), order_by, limit, offset)

    async def update(self, values: Mapping[str, Any], where: Where) -> int:
        done: set[Place] = set()
        async for batch in self._candidates(where):
            while batch := [one for one in batch if meets(one.session, where)]:
                lost = []
                for one in batch:
                    if one.place in done:
                        continue
                    if await self._replace(one, one.session.revised(values)):
                        done.add(one.place)
                    else:
                        lost.append(one.place)
                batch = await self._at(lost)
        return len(done)

    async def _replace(self, old: Stored, session: Session) -> bool:
        await self._locate(session)
        keep = self._milliseconds(session)
        text = self._text.encode(session)
        replaced = await self._store.swap(old.place, old.text, text, keep)
        if replaced and session.token_key != old.session.token_key:
            await self._store.unlocate([self._store.of_token(old.session.token_key)])
        return replaced

    async def take(self, limit: int | None, where: Where) -> list[Session]:
        """Also from the table, where there may be sessions of before: they count for nothing now,
        and what is revoked meanwhile must not be live when the table counts again."""
        taken = await self._take(limit, where)
        while await self._before.take(limit, where):
            if taken or limit is None:  # else nobody would come again for the rest
                break
        return taken

    async def _take(self, limit: int | None, where: Where) -> list[Session]:
        taken: list[Session] = []
        async for batch in self._candidates(where):
            while batch := [one for one in batch if meets(one.session, where)]:
                chosen = batch if limit is None else batch[: limit - len(taken)]
                lost = await self._remove(chosen, taken)
                if limit is not None and len(taken) >= limit:
                    return taken
                batch = await self._at(lost) + batch[len(chosen) :]
        return taken

    async def _remove(self, stored: Sequence[Stored], taken: list[Session]) -> list[Place]:
        """Delete what is still as it was found, adding it to ``taken``; the places of the rest."""
        by_owner: dict[str, list[Stored]] = {}
        for one in stored:
            by_owner.setdefault(one.place[0], []).append(one)
        lost, gone = [], []
        for owner, group in by_owner.items():
            removed = await self._store.remove(owner, [(one.place[1], one.text) for one in group])
            for one, is_gone in zip(group, removed, strict=True):
                if is_gone:
                    gone.append(one.session)
                else:
                    lost.append(one.place)
        taken.extend(gone)
        await self._unlocate(gone)
        return lost

    async def _candidates(self, where: Where) -> AsyncIterator[list[Stored]]:
        """The sessions that alone can meet ``where``, and others; in several parts where everybody
        must be looked at."""
        unknown = where.keys() - self._text.model.model_fields.keys()
        if unknown:
            raise KeyError(*unknown)
        store = self._store
        narrow = {name: values for name in where if (values := values_of(where[name])) is not None}
        if "user_id" in narrow:
            yield self._read(await store.texts(set(narrow["user_id"])))
        elif "id" in narrow:
            yield await self._at(await store.located([store.of_id(one) for one in narrow["id"]]))
        elif "token_key" in narrow:
            keys = [store.of_token(one) for one in narrow["token_key"]]
            yield await self._at(await store.located(keys))
        elif indexed := [name for name in self._indexed if None not in narrow.get(name, [None])]:
            owners = {
                owner
                for value in narrow[indexed[0]]
                for owner in await store.owners_with(indexed[0], value)
            }
            yield self._read(await store.texts(owners))
        else:
            async for some in store.owners():
                yield self._read(await store.texts(some))

    async def _at(self, places: Sequence[Place]) -> list[Stored]:
        return self._read(await self._store.texts_at(places))

    def _read(self, texts: Sequence[tuple[Place, bytes]]) -> list[Stored]:
        read = ((place, text, self._text.decode(text)) for place, text in texts)
        return [Stored(place, text, session) for place, text, session in read if session]

    async def _locate(self, session: Session) -> None:
        values = {name: session.__dict__[name] for name in self._indexed}
        await self._store.locate(
            (session.user_id, session.id),
            session.token_key,
            {name: value for name, value in values.items() if value is not None},
            int(self._clock().timestamp() * 1000),
            self._milliseconds(session),
        )

    async def _unlocate(self, sessions: Sequence[Session]) -> None:
        store = self._store
        await store.unlocate(
            [
                key
                for session in sessions
                for key in (store.of_token(session.token_key), store.of_id(session.id))
            ]
        )

    def _milliseconds(self, session: Session) -> int:
        """How long to keep a session; always a while, so that no key is without an end."""
        left: float = (session.expires_at - self._clock()).total_seconds()
        return int(max(0.0, left) * 1000) + MARGIN


class SessionsInTheTable:
    """Sessions in the table; copies of them in Redis are dropped before they change."""

    def __init__(
        self, tables: Verbs, fenced: Fenced, clock: Clock, *, counts: bool = False
    ) -> None:
        """``fenced`` begins a change. ``counts``: this is where sessions are, and what is left in
        Redis of a time when they were there goes with whatever its user revokes, or who revokes
        everybody's."""
        self._counts = counts
        self._tables = tables
        self._fenced = fenced
        self._clock = clock

    async def insert(self, session: Session) -> None:
        """There can be no copy of it yet."""
        await self._tables.insert(session)

    async def find(
        self, order_by: str | Sequence[str], limit: int | None, offset: int, where: Where
    ) -> list[Session]:
        return await self._tables.find(
            Session, order_by=order_by, limit=limit, offset=offset, **where
        )

    async def update(self, values: Mapping[str, Any], where: Where) -> int:
        async with self._fenced() as fence:
            found = await self._found(fence, None, where)
            if not found:
                return 0
            return await self._tables.update(Session, values, **{**where, "id": in_(found)})

    async def take(self, limit: int | None, where: Where) -> list[Session]:
        async with self._fenced() as fence:
            while found := await self._found(fence, limit, where):
                if taken := await self._tables.take(Session, **{**where, "id": in_(found)}):
                    return taken
            if self._counts and not where:
                await fence.around_the_rest()
        return []

    async def _found(self, fence: Fence, limit: int | None, where: Where) -> list[str]:
        """The ids of what meets ``where`` now, fenced. What has expired opens nothing anyway."""
        now: datetime = self._clock()
        found = await self._tables.find(Session, limit=limit, **where)
        owners = {session.user_id for session in found if session.expires_at > now}
        if self._counts and "user_id" in where:
            owners.update(values_of(where["user_id"]) or ())
        await fence.around(owners)
        return [session.id for session in found]
