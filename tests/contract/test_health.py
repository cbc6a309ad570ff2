"""What machines that watch the application ask: is it alive, is it ready."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from better_auth.adapters import SqlDatabaseAdapter
from better_auth.plugins import core
from tests.conftest import Site
from tests.support import make_auth

MakeSite = Callable[..., Site]


def unavailable(answer: httpx.Response) -> bool:
    """Whether ``answer`` is the 503 of a database that cannot be reached."""
    assert sorted(answer.json()) == ["code", "message"]
    return (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_live_and_ready(site: Site) -> None:
    """ "200 `{"status":"live"}`", "200 `{"status":"ready"}`", for HEAD too."""
    get = site.client().get
    for status in ("live", "ready"):
        answer = get(f"/health/{status}")
        assert (answer.status_code, answer.json()) == (200, {"status": status})
        assert answer.headers["cache-control"] == "no-store"
        assert site.client().head(f"/health/{status}").status_code == 200


def test_probes_are_not_limited(site_with: MakeSite) -> None:
    """However often they are asked; the rest is limited as ever."""
    get = site_with(rate_limit={"enabled": True, "limit": 2}).client().get
    for path in ("/health/live", "/health/ready"):
        assert {get(path).status_code for _ in range(10)} == {200}
    assert [get("/ok").status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.databases("sqlite")
def test_a_database_that_fails(site_with: MakeSite, tmp_path: Path) -> None:
    """ "otherwise 503", while the process is as alive as before."""
    site = site_with(database=f"sqlite:///{tmp_path}/test.db")
    for name in ("test.db", "test.db-wal"):
        (tmp_path / name).write_bytes(b"\xff" * 8192)
    assert unavailable(site.client().get("/health/ready"))
    assert site.client().get("/health/live").status_code == 200


@pytest.mark.databases("sqlite")
def test_a_database_that_does_not_answer(
    site_with: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has so long and no longer."""
    assert core.READY_WITHIN == 2

    class Silent(SqlDatabaseAdapter):
        async def session_with_user(self, token_key: str) -> Any:
            await asyncio.Event().wait()

    monkeypatch.setattr(core, "READY_WITHIN", 0.01)
    site = site_with(database=Silent("sqlite://"))
    assert unavailable(site.client().get("/health/ready"))
    assert site.client().get("/health/live").status_code == 200


def test_alive_before_it_could_start(tmp_path: Path) -> None:
    """Where nobody starts it, asking whether it is ready does; asking whether it lives does not."""
    auth = make_auth(database=f"sqlite:///{tmp_path}/missing/test.db")
    (tmp_path / "missing").write_text("in the way")

    async def work() -> None:
        transport = httpx.ASGITransport(auth)
        async with httpx.AsyncClient(transport=transport, base_url="http://x/auth") as client:
            assert (await client.get("/health/live")).status_code == 200
            assert unavailable(await client.get("/health/ready"))
            (tmp_path / "missing").unlink()
            assert (await client.get("/health/live")).status_code == 200
            assert not auth.is_ready
            assert (await client.get("/health/ready")).json() == {"status": "ready"}
            assert auth.is_ready
        await auth.stop()

    asyncio.run(work())
