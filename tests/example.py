"""``examples/everything.py`` as somebody runs it who copies from it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import SECRET, environment

ROOT = Path(__file__).parents[1]


@dataclass
class Example:
    """The running example."""

    origin: str
    outbox: Path

    def messages(self, kind: str) -> list[dict[str, str]]:
        """What was sent of one kind."""
        lines = [json.loads(line) for line in self.outbox.read_text().splitlines()]
        return [line for line in lines if line["kind"] == kind]


def example_environment(directory: Path, **more: str) -> dict[str, str]:
    """This process's environment with the example's settings."""
    own = {
        "BETTER_AUTH_SECRET": SECRET,
        "BETTER_AUTH_DATABASE_URL": f"sqlite:///{directory}/everything.db",
        "BETTER_AUTH_SESSION__COOKIE_SECURE": "false",
        "BETTER_AUTH_RATE_LIMIT__ENABLED": "false",
        "ADMIN_EMAILS": "Boss@example.com, other@example.com",
        "OUTBOX": str(directory / "outbox.jsonl"),
    }
    return environment(**own | more)


def example_command(port: int) -> list[str]:
    """What a person types, on a port of its own."""
    options = ["--port", str(port), "--no-proxy-headers"]
    return [sys.executable, "-m", "uvicorn", "examples.everything:app", *options]


@contextmanager
def running_example(directory: Path, **more: str) -> Iterator[Example]:
    """The example in a process of its own, with more settings, gone afterwards."""
    process = subprocess.Popen(
        example_command(0),
        cwd=ROOT,
        env=example_environment(directory, **more),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "running on" in line:
                origin = line.split("running on ")[1].split()[0]
                break
        else:
            raise AssertionError("the example did not start")
        yield Example(origin, directory / "outbox.jsonl")
    finally:
        process.terminate()
        process.wait(15)
        process.stderr.close()
