"""The server is told to stop while it works."""

import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.integration.test_cli import start, url_in
from tests.servers import until

__all__ = ["start"]  # a fixture

APPLICATION = """\
import asyncio
from pathlib import Path
from better_auth import AuthConfig, BetterAuth
from better_auth.models import Fields
from better_auth.plugins import Call, Plugin, post

class Made(Fields):
    id: str

class Slow(Plugin):
    @post("/slow", access="public")
    async def slow(self, call: Call) -> Made:
        with Path("begun").open("a") as file:
            file.write("one\\n")
        while not Path("go").exists():
            await asyncio.sleep(0.02)
        user = await self.context.users.create(name="Ada", email=f"{id(call)}@example.com")
        return Made(id=user.id)

config = AuthConfig("x" * 32, database_url="sqlite:///auth.db", rate_limit={"enabled": False})
auth = BetterAuth(config, plugins=[Slow()])
"""
REQUESTS = 6


@pytest.mark.parametrize("workers", [1, 2])
def test_what_has_begun_is_finished(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path, workers: int
) -> None:
    """ "Graceful shutdown finishes what it began": whoever was being served is answered, and what
    they asked for is done; nobody new is let in; then the process ends."""
    (tmp_path / "slow.py").write_text(APPLICATION)
    process, printed = start("slow:auth", "--workers", str(workers))
    url = url_in(printed)
    answers: list[httpx.Response] = []

    def ask() -> None:
        with httpx.Client(transport=httpx.HTTPTransport(retries=20), timeout=30) as client:
            answers.append(client.post(f"{url}/slow"))

    threads = [threading.Thread(target=ask) for _ in range(REQUESTS)]
    for thread in threads:
        thread.start()
    begun = tmp_path / "begun"
    for _ in until(30):
        if begun.exists() and len(begun.read_text().splitlines()) == REQUESTS:
            break
    else:
        pytest.fail("not all requests began")
    process.send_signal(signal.SIGTERM)
    for _ in until(10):
        try:
            httpx.get(f"{url}/ok", timeout=0.2)
        except httpx.TransportError:
            break
    assert process.poll() is None
    (tmp_path / "go").touch()
    for thread in threads:
        thread.join(30)
    assert [answer.status_code for answer in answers] == [200] * REQUESTS
    assert len({answer.json()["id"] for answer in answers}) == REQUESTS
    process.wait(20)
