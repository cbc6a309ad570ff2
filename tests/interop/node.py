"""Node, the packages of a ``package.json`` installed once, and what runs on them.

``python -m tests.interop.node DIRECTORY...`` installs those of these directories beforehand.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def _cache(source: Path) -> Path:
    """A folder outside the repository for this very ``package.json``."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    wanted = hashlib.sha256((source / "package.json").read_bytes()).hexdigest()[:16]
    return home / "better_auth-tests" / wanted


@contextmanager
def workshop(source: Path = HERE) -> Iterator[Path]:
    """A folder with the scripts of ``source``, beside the installed packages that they import."""
    cache = installed(source)
    folder = Path(tempfile.mkdtemp(prefix="scripts-", dir=cache))
    ignored = shutil.ignore_patterns("*.py", "__pycache__")
    shutil.copytree(source, folder, ignore=ignored, dirs_exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def installed(source: Path) -> Path:
    """The folder in which the packages of ``source`` are.

    Installing compiles SQLite, which takes a minute, once; whoever comes meanwhile waits.
    """
    cache = _cache(source)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (cache / "complete").exists():
            shutil.copy(source / "package.json", cache)
            npm = [
                "npm",
                "install",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
                "--loglevel=error",
            ]
            subprocess.run(npm, cwd=cache, check=True, timeout=500)
            (cache / "complete").touch()
    return cache


@contextmanager
def peer(folder: Path, script: str = "peer.mjs", **environment: str) -> Iterator[str]:
    """A server in Node that prints its origin, which is yielded."""
    process = subprocess.Popen(
        ["node", script],
        cwd=folder,
        env=os.environ | {"BETTER_AUTH_TELEMETRY": "0", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        origin = process.stdout.readline().strip()
        assert origin, "the peer did not start"
        yield origin
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def walked(folder: Path, walk: str, origin: str) -> list[dict[str, Any]]:
    """The steps of ``walks/WALK.mjs`` as the server at ``origin`` answered them."""
    done = subprocess.run(
        ["node", "walk.mjs", walk, origin], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    steps: list[dict[str, Any]] = json.loads(done.stdout)
    return steps


if __name__ == "__main__":
    for directory in sys.argv[1:]:
        installed(Path(directory))
