"""Sessions in memory on Redis, before it is certain that changes are heard."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests import databases
from tests.conftest import Site
from tests.contract.test_redis import CACHED, adapter, cache_of, is_in, server, until
from tests.line import line

DATABASES = [kind for kind in databases.kinds() if kind in databases.WITH_REDIS]
MakeSite = Callable[..., Site]


def test_what_is_told_before_it_is_heard(
    site_with: MakeSite, database_kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session revoked elsewhere while the subscription is on its way, and a check that saw it
    before is not over yet: its answer is not remembered."""
    database = f"sqlite:///{tmp_path / 'auth.db'}"
    store = databases.session_settings(database_kind)["store"]
    there = site_with(database=database, session={"store": store})
    session = there.session(there.user())
    url = sa.make_url(store["url"])
    with line("127.0.0.1", url.port or 6379) as slow, slow.held(b"SUBSCRIBE"):
        near = {**store, "url": f"redis://127.0.0.1:{slow.port}/0"}
        here = site_with(database=database, session={"store": near, **CACHED})
        assert here.client().get("/ok").status_code == 200
        assert slow.is_held.wait(5)
        revoked = asyncio.Event()
        copy = adapter(here)._copy
        had_read: list[object] = []

        async def late(*arguments: Any) -> bool:
            had_read.append(arguments)
            await revoked.wait()
            return await copy(*arguments)

        monkeypatch.setattr(adapter(here), "_copy", late)
        checking = asyncio.run_coroutine_threadsafe(
            here.auth.sessions.resolve(session.token), here.loop
        )
        assert any(had_read for _ in until(5))
        there.run(there.auth.sessions.revoke(session))
    assert any(cache_of(here).is_current for _ in until(5))
    here.loop.call_soon_threadsafe(revoked.set)
    assert checking.result(10) is not None, "it was live when it was asked"
    assert not is_in(here, session.token)


def test_what_nobody_understands(site_with: MakeSite, database_kind: str) -> None:
    """Said by another program where changes are told: memory is in use again by itself."""
    store = databases.session_settings(database_kind)["store"]
    site = site_with(database="sqlite://", session={"store": store, **CACHED})
    assert site.client().get("/ok").status_code == 200
    assert any(cache_of(site).is_current for _ in until(5))
    with server() as connection:
        connection.publish(adapter(site)._store.channel, b"\xff")
    assert any(not cache_of(site).is_current for _ in until(5))
    assert any(cache_of(site).is_current for _ in until(5))
