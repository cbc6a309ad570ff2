"""Which keys there are in Redis, and the steps on them.

A user's sessions are the fields of one hash, so that a list of them that could disagree with what
there is does not exist: listing them is reading the hash, revoking them is deleting fields. Beside
it, under the same hash tag, are a copy of the user's row and the *fence*: who is changing the
tables, and when the last of them was done. Nothing is copied here from the tables that was read
before. What leads from a token or an id to the hash says only where to look; what is not in the
hash does not exist.

Every key has a time to live.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any
from urllib.parse import quote, unquote

from better_auth.adapters import redis_scripts as lua
from better_auth.adapters.lanes import HotReader
from better_auth.adapters.redis_client import FAILURES, Command, Copies, RedisClient, unavailable

BELIEVED = 60
"""Seconds for which a copy of what is in the tables is believed."""

SESSIONS = "sessions"
"""What the hash of a user's sessions is called that are no copies."""

GONE = "gone"
"""Who changes a user in order to delete them: that fence stays, so that no session is made."""

NOTHING = Copies(None, None, b"")

IN_ONE_SCAN = 500

Place = tuple[str, str]
"""Where a session is: its owner's id, its own id."""


class RedisStore:
    """The keys under one prefix."""

    def __init__(self, client: RedisClient, prefix: str, *, are_copies: bool) -> None:
        """``are_copies``: the sessions here are copies of the table's. They have another name, so
        that what was no copy is not taken for one, nor the other way round."""
        self.client = client
        self._sessions = "copies" if are_copies else SESSIONS
        self.prefix = prefix
        self.channel = f"{prefix}changed"
        self.fence_milliseconds = 1000 * int(max(30, 10 * client.patience))
        """Longer than any statement to the tables may take."""
        self.forget: Callable[[str], None] = _forget_nothing
        """Called with a user's id after every change to them or their sessions."""
        self._hot: HotReader[Copies] | None = None

    def open(self) -> None:
        """Prepare the hot read."""
        if not self.client.is_cluster:
            self._hot = self.client.hot_reader(lua.READ, self.prefix, self._sessions)

    def close(self) -> None:
        """Do without it again."""
        self._hot = None

    def of_token(self, token_key: str) -> str:
        """The key that locates a token."""
        return f"{self.prefix}token:{token_key}"

    def of_id(self, session_id: str) -> str:
        """The key that locates a session's id."""
        return f"{self.prefix}id:{session_id}"

    def of_value(self, field: str, value: str) -> str:
        """The key of the owners who may have a session with ``value`` in ``field``."""
        return f"{self.prefix}by:{field}:{value}"

    def _of_owner(self, owner: str, *names: str) -> list[str]:
        tag = f"{self.prefix}{{{_quoted(owner)}}}:"
        return [tag + name for name in names]

    # Reading

    async def read(self, token_key: str) -> Copies:
        """The session that the token leads to and its user, as far as they are here.

        The session's own ``token_key`` must still be compared. Raises ``DatabaseUnavailable``.
        """
        key = self.of_token(token_key)
        if self._hot is not None:
            try:
                return await self._hot.read(key) or NOTHING
            except FAILURES as error:
                raise unavailable(error) from error
        (located,) = await self.client.run(("GET", key))
        if located is None:
            return NOTHING
        owner, session_id = _place(located)
        keys = self._of_owner(owner, self._sessions, "user")
        (found,) = await self.client.run(_eval(lua.READ_OF_OWNER, keys, session_id, self._sessions))
        return Copies(*found)

    async def located(self, keys: Sequence[str]) -> list[Place]:
        """Where the tokens or ids behind ``keys`` are, of those that are known."""
        if not keys:
            return []
        found = await self.client.run(*(("GET", key) for key in keys))
        return [_place(located) for located in found if located is not None]

    async def owners_with(self, field: str, value: str) -> list[str]:
        """Who may have a session with ``value`` in ``field``."""
        key = self.of_value(field, value)
        (found,) = await self.client.run(("ZRANGE", key, 0, -1))
        return [unquote(owner.decode()) for owner in found]

    async def owners(self, name: str | None = None) -> AsyncIterator[list[str]]:
        """Everybody who has sessions, or a hash of this ``name``; one may come twice."""
        begin, end = self.prefix + "{", "}:" + (name or self._sessions)
        async for keys in self.client.scan(f"{begin}*{end}", IN_ONE_SCAN):
            yield [unquote(key.decode()[len(begin) : -len(end)]) for key in keys]

    async def texts(self, owners: Collection[str]) -> list[tuple[Place, bytes]]:
        """All sessions of ``owners``."""
        if not owners:
            return []
        keys = [self._of_owner(owner, self._sessions)[0] for owner in owners]
        found = await self.client.run(*(("HGETALL", key) for key in keys))
        return [
            ((owner, session_id.decode()), text)
            for owner, hash_ in zip(owners, found, strict=True)
            for session_id, text in hash_.items()
        ]

    async def texts_at(self, places: Sequence[Place]) -> list[tuple[Place, bytes]]:
        """The sessions at ``places`` that are there."""
        if not places:
            return []
        found = await self.client.run(
            *(("HGET", self._of_owner(owner, self._sessions)[0], one) for owner, one in places)
        )
        pairs = zip(places, found, strict=True)
        return [(place, text) for place, text in pairs if text is not None]

    # Changing sessions

    async def locate(
        self, place: Place, token_key: str, values: dict[str, str], now: int, milliseconds: int
    ) -> None:
        """Say where a session will be, by token, by id, and by the ``values`` of its fields."""
        owner = _quoted(place[0])
        located = f"{owner} {place[1]}"
        keys = [self.of_token(token_key), self.of_id(place[1])]
        end = str(now + milliseconds)
        await self.client.run(
            *(("SET", key, located, "PX", milliseconds) for key in keys),
            *(
                _eval(lua.NOTE, [self.of_value(*value)], str(now), end, owner, milliseconds)
                for value in values.items()
            ),
        )

    async def locate_copy(self, place: Place, token_key: str) -> None:
        """Say where a copy of a session will be, for as long as it will be believed."""
        located = f"{_quoted(place[0])} {place[1]}"
        await self.client.run(("SET", self.of_token(token_key), located, "EX", BELIEVED))

    async def unlocate(self, keys: Sequence[str]) -> None:
        """Forget where tokens or ids were."""
        if keys:
            await self.client.run(*(("DEL", key) for key in keys))

    async def put(
        self, place: Place, text: bytes, now: str, milliseconds: int, *, is_known: bool
    ) -> str:
        """Add a session: ``put``, ``taken`` (the id is), or the user is ``gone`` or ``unknown``.

        ``is_known``: the user is in the table, as far as one who has looked can tell.
        """
        owner, session_id = place
        keys = self._of_owner(owner, self._sessions, "fence", "user")
        known = "known" if is_known else ""
        (outcome,) = await self.client.run(
            _eval(lua.PUT, keys, session_id, text, milliseconds, now, known)
        )
        said: str = outcome.decode()
        return said

    async def swap(self, place: Place, seen: bytes, text: bytes, milliseconds: int) -> bool:
        """Replace a session that is still as it was seen."""
        owner, session_id = place
        keys = self._of_owner(owner, self._sessions)
        told = self.channel, _quoted(owner)
        try:
            (swapped,) = await self.client.run(
                _eval(lua.SWAP, keys, session_id, seen, text, milliseconds, *told)
            )
        finally:
            self.forget(owner)
        return bool(swapped)

    async def remove(self, owner: str, seen: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Delete those sessions of a user, by id, that are still as they were seen; which were."""
        keys = self._of_owner(owner, self._sessions)
        flat = [part for one in seen for part in one]
        try:
            (removed,) = await self.client.run(
                _eval(lua.REMOVE, keys, self.channel, _quoted(owner), *flat)
            )
        finally:
            self.forget(owner)
        return [bool(one) for one in removed]

    # Copies of the tables

    async def fence(self, owners: Collection[str], who: str, *, sessions_too: bool) -> None:
        """Before the tables change: drop the copies of these users, and let nobody copy anew until
        ``lift``. Raises ``DatabaseUnavailable``, and then nothing may be changed."""
        told = self.fence_milliseconds, self.channel
        names = "fence", "user", "copies", *([SESSIONS] if sessions_too else [])
        await self._told(
            owners,
            [
                _eval(lua.FENCE, self._of_owner(one, *names), who, *told, _quoted(one))
                for one in owners
            ],
        )

    async def lift(self, owners: Collection[str], *who: str) -> None:
        """After the tables have changed: what is read from now on may be copied."""
        told = self.fence_milliseconds, self.channel
        names = "fence", "user", "copies"
        await self._told(
            owners,
            [
                _eval(lua.LIFT, self._of_owner(one, *names), *told, _quoted(one), *who)
                for one in owners
            ],
        )

    async def _told(self, owners: Collection[str], commands: Sequence[Command]) -> None:
        try:
            if commands:
                await self.client.run(*commands)
        finally:
            for owner in owners:
                self.forget(owner)

    async def fill(self, at: bytes, owner: str, user: bytes, *session: str | bytes) -> bool:
        """Keep a copy of a user's row (and of a session: id and text) that was read after ``at``;
        whether that was allowed."""
        keys = self._of_owner(owner, "fence", "user", self._sessions)
        limits = BELIEVED * 1000, at, self.fence_milliseconds // 2
        (filled,) = await self.client.run(_eval(lua.FILL, keys, *limits, user, *session))
        return bool(filled)


def _eval(script: str, keys: Sequence[str], *arguments: Any) -> list[Any]:
    return ["EVAL", script, len(keys), *keys, *arguments]


def _quoted(owner: str) -> str:
    """A user's id without what would end the hash tag, or the word."""
    return quote(owner, safe="")


def _place(located: bytes) -> Place:
    owner, _, session_id = located.decode().partition(" ")
    return unquote(owner), session_id


def _forget_nothing(owner: str) -> None:
    """Nothing is in memory."""
