"""Chromium, and the React page of ``examples/react``."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.example import ROOT
from tests.interop.node import workshop
from tests.servers import not_here

Play = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def source() -> Iterator[Path]:
    """The page's source, with the packages it is built with beside it."""
    with workshop(ROOT / "examples" / "react") as folder:
        yield folder


@pytest.fixture(scope="session")
def page(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, its types checked and built, for the origin that serves it."""
    folder = tmp_path_factory.mktemp("page")
    build(source, folder, check_types=True)
    return folder


def build(source: Path, folder: Path, *, check_types: bool = False, **settings: str) -> None:
    """Build the page into ``folder``, as ``npm run build`` does."""
    out = ["--outDir", str(folder), "--emptyOutDir", "--logLevel", "warn"]
    commands = [["npx", "vite", "build", *out]]
    if check_types:
        commands.insert(0, ["npx", "tsc"])
    for command in commands:
        done = subprocess.run(
            command,
            cwd=source,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def play() -> Iterator[Play]:
    """Plays a scene in Chromium; what was seen, by name."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        not_here("Chromium")
    with workshop(Path(__file__).parent) as folder:

        def play(scene: str, **settings: str) -> dict[str, Any]:
            done = subprocess.run(
                ["node", "play.mjs", scene],
                cwd=folder,
                env=os.environ | {"SETTINGS": json.dumps({"chromium": chromium, **settings})},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            seen: dict[str, Any] = json.loads(done.stdout)
            return seen

        yield play
