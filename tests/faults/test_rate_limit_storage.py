"""Counters in Redis: shared by several processes, and nobody waits for ever where it is gone."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from better_auth.http import guards
from tests.conftest import Site
from tests.servers import RedisServer
from tests.support import make_auth, serve

DATABASES = ["sqlite"]
"""No database has a say in this."""

PATIENCE = 0.4

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever counts waits less than usual."""
    monkeypatch.setattr(guards, "PATIENCE", PATIENCE)


def test_several_processes_count_together(
    site_with: Callable[..., Site], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """ "name a shared storage for several"; while it is away the answer is 503, soon, and logged
    without its password."""
    user = ("--user", "ada", "on", ">hunter2", "~*", "&*", "+@all")
    server = RedisServer(tmp_path, *user)
    try:
        storage = server.url.replace("redis://", "redis://ada:hunter2@")
        limits = {"enabled": True, "storage": storage}
        one = site_with(rate_limit=limits).client()
        with serve(make_auth(rate_limit=limits)) as origin:
            other = f"{origin}/auth/sign-in/email"
            asked = [one.post(path, json={}).status_code for path in ("/sign-in/email", other) * 2]
        assert asked == [400, 400, 400, 429]
        began = time.monotonic()
        with server.frozen():
            answer = one.post("/sign-in/email", json={})
        assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert time.monotonic() - began < 4 * PATIENCE
        assert one.post("/sign-in/email", json={}).status_code == 429
    finally:
        server.stop()
    assert one.get("/get-session").status_code == 503
    assert "rate_limit.storage unavailable" in caplog.text
    assert "hunter2" not in caplog.text


def test_one_loop_after_another(tmp_path: Path) -> None:
    """What is stopped under one event loop counts on under the next."""
    server = RedisServer(tmp_path)
    auth = make_auth(rate_limit={"enabled": True, "storage": server.url})

    async def ask() -> set[int]:
        transport = httpx.ASGITransport(auth)
        async with (
            auth.lifespan(),
            httpx.AsyncClient(transport=transport, base_url="http://x/auth") as client,
        ):
            asked = [client.post("/sign-in/email", json={}) for _ in range(3)]
            return {answer.status_code for answer in await asyncio.gather(*asked)}

    try:
        assert [asyncio.run(ask()) for _ in range(3)] == [{400}, {429}, {429}]
    finally:
        server.stop()
