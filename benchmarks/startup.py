"""How long the standalone server takes from being started to its first answer."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.servers import end, fetch, free_port, request, wait_until_open

ASK = request("/auth/ok")


def first_answer(directory: Path) -> float:
    """Seconds from starting ``better-auth serve`` in ``directory`` to its first whole answer."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(Path(sys.executable).with_name("better-auth")), "serve", "--port", str(port)]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=directory, stdout=subprocess.DEVNULL, text=True, env=_environment()
    )
    try:
        wait_until_open(port, process, pause=0.002)
        status, _, _ = fetch(port, ASK)
        taken = time.perf_counter() - started
    finally:
        end(process)
    assert status == 200
    return taken


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("BETTER_AUTH_")}
