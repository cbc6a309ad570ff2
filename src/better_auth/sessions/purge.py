"""Deleting what has expired, a little at a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from time import perf_counter

from better_auth.adapters.base import DatabaseAdapter, in_, le
from better_auth.models import Record

BATCH = 25
"""Rows a deletion, unless said otherwise: so few that a check that meets one hardly waits."""

REST = 3
"""How many times as long as a batch took is rested after it."""


async def purge(
    database: DatabaseAdapter, model: type[Record], past: datetime, batch: int
) -> AsyncIterator[int]:
    """Delete the rows of ``model`` whose ``expires_at`` is not after ``past``, ``batch`` at a time;
    the number of rows gone after each.

    The database is busy with it a quarter of the time at most, so that checks hardly wait, even
    where it has no processor of its own. Where another process is purging as well, this one leaves
    it to that.
    """
    while True:
        began = perf_counter()
        # The oldest first: by the index, whatever share of the table has expired.
        oldest = await database.find(model, order_by="expires_at", limit=batch, expires_at=le(past))
        ids = in_([record.id for record in oldest])
        gone = await database.delete(model, id=ids, expires_at=le(past)) if oldest else 0
        if not gone:
            return
        taken = perf_counter() - began
        yield gone
        if len(oldest) < batch:
            return
        await asyncio.sleep(REST * taken)
