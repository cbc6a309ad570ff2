"""Around a change of the tables: no copies in Redis before it, none of what was before after it.

Should the process die in between, the fence stands until it expires, and checks ask the tables.
Should the fence not stand to the end (the process stood still, Redis was flushed), what was copied
meanwhile goes when it is over.
"""

from collections.abc import Collection
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import uuid4

from better_auth.adapters.redis_store import GONE, SESSIONS, RedisStore
from better_auth.errors import DatabaseUnavailable


class Fence:
    """Round the users whom somebody is changing, until the block ends.

    >>> async with Fence(store, sessions_too=False) as fence:
    ...     await fence.around([user.id])
    ...     await tables.update(User, changes, id=user.id)
    """

    def __init__(self, store: RedisStore, *, sessions_too: bool) -> None:
        """``sessions_too``: those in Redis are copies as well."""
        self._store = store
        self._sessions_too = sessions_too
        self._who = uuid4().hex
        self._owners: set[str] = set()
        self._kept: set[str] = set()

    async def around(self, owners: Collection[str]) -> None:
        """These users, or their sessions, are about to change. Raises ``DatabaseUnavailable``:
        then they must not."""
        self._owners.update(owners)
        await self._store.fence(owners, self._who, sessions_too=self._sessions_too)

    async def around_the_rest(self) -> None:
        """Whoever has sessions here that are no copies, from a time when they counted."""
        async for owners in self._store.owners(SESSIONS):
            await self.around(owners)

    async def around_gone(self, owners: Collection[str]) -> None:
        """These users are about to be deleted: their sessions end now, and no more are made."""
        await self._store.fence(owners, GONE, sessions_too=True)
        self._kept.update(owners)

    def are_gone(self, owners: Collection[str]) -> None:
        """These have been."""
        self._kept.difference_update(owners)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(DatabaseUnavailable):  # what is not lifted expires
            await self._store.lift(self._owners, self._who)
            await self._store.lift(self._kept, GONE)
