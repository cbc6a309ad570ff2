"""What peers are installed into: a virtual environment or a node_modules of their own."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

INSTALL_TIMEOUT = 600.0
OLDEST_NODE = 20
PROGRAMS = Path(__file__).parent / "servers"
"""The server programs, one file a peer."""

_INSTALLED = "installed.json"


class PeerFailed(Exception):
    """A peer could not be installed, started or asked; the message is one line."""


class Environment(Protocol):
    """Where one peer's packages are."""

    @property
    def name(self) -> str:
        """Its folder in the scratch directory; peers that share it are installed once."""
        ...

    def install(self, directory: Path) -> None:
        """Make ``directory`` hold what the peer needs. Raises ``PeerFailed``."""
        ...

    def command(self, directory: Path, program: str, port: int) -> list[str]:
        """What serves ``program`` on ``port`` of 127.0.0.1."""
        ...

    def version(self, directory: Path) -> str:
        """What was installed."""
        ...


@dataclass(frozen=True, slots=True)
class PythonEnvironment:
    """A virtual environment of this Python; its programs are ASGI applications under uvicorn."""

    name: str
    packages: Sequence[str]

    def install(self, directory: Path) -> None:
        """``pip install`` into a new virtual environment."""
        packages = [*self.packages, "uvicorn[standard]>=0.54"]
        if _is_installed(directory, packages):
            return
        shutil.rmtree(directory, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(directory)])
        run([self._python(directory), "-m", "pip", "install", "--quiet", *packages])
        _note_installed(directory, packages)

    def command(self, directory: Path, program: str, port: int) -> list[str]:
        """uvicorn as ours runs under it; ``-I`` keeps our own modules out of the peer's sight."""
        options = "--host 127.0.0.1 --loop uvloop --http httptools --log-level warning"
        return [
            *(self._python(directory), "-I", "-m", "uvicorn", f"{program}:app"),
            *("--app-dir", str(PROGRAMS), "--port", str(port), "--no-access-log"),
            *options.split(),
        ]

    def version(self, directory: Path) -> str:
        """The version of the first package."""
        package = re.split(r"[^\w.-]", self.packages[0])[0]
        code = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
        return f"{package} {run([self._python(directory), '-I', '-c', code, package]).strip()}"

    def _python(self, directory: Path) -> str:
        return str(directory / "bin" / "python")


@dataclass(frozen=True, slots=True)
class NodeEnvironment:
    """A node_modules; its programs are scripts, copied beside it to find their imports there."""

    name: str
    packages: Mapping[str, str]
    optional: Mapping[str, str]
    """Those that need a compiler, and that the program can do without."""

    def install(self, directory: Path) -> None:
        """``npm install`` of a package.json made here."""
        for tool in ("node", "npm"):
            if shutil.which(tool) is None:
                raise PeerFailed(f"{tool} is not installed")
        node = run(["node", "--version"]).strip()
        if int(node.lstrip("v").split(".")[0]) < OLDEST_NODE:
            raise PeerFailed(f"needs Node {OLDEST_NODE} or later, found {node}")
        wanted = {
            "private": True,
            "type": "module",
            "dependencies": dict(self.packages),
            "optionalDependencies": dict(self.optional),
            "allowScripts": dict.fromkeys(self.optional, True),
        }
        directory.mkdir(parents=True, exist_ok=True)
        for script in PROGRAMS.glob("*.mjs"):
            shutil.copy(script, directory)
        if _is_installed(directory, wanted):
            return
        (directory / "package.json").write_text(json.dumps(wanted))
        run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], directory)
        _note_installed(directory, wanted)

    def command(self, directory: Path, program: str, port: int) -> list[str]:
        """The script, which reads ``PORT``."""
        return ["node", str(directory / f"{program}.mjs")]

    def version(self, directory: Path) -> str:
        """The version of the first package and of Node."""
        package = next(iter(self.packages))
        manifest = (directory / "node_modules" / package / "package.json").read_text()
        return f"{package} {json.loads(manifest)['version']}, Node {run(['node', '-v']).strip()}"


def _is_installed(directory: Path, wanted: object) -> bool:
    note = directory / _INSTALLED
    return note.exists() and json.loads(note.read_text()) == wanted


def _note_installed(directory: Path, wanted: object) -> None:
    (directory / _INSTALLED).write_text(json.dumps(wanted))


def run(
    command: Sequence[str],
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run to the end: what was printed. Raises ``PeerFailed``."""
    name = " ".join(Path(part).name for part in command[:3])
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PeerFailed(f"{name}: not done in {INSTALL_TIMEOUT:.0f} s") from None
    if done.returncode:
        raise PeerFailed(f"{name}: {reason_in(done.stderr) or f'exit {done.returncode}'}")
    return done.stdout


def reason_in(output: str) -> str:
    """The one line of a failed program's output that best says why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    of_npm = [line for line in lines if re.match(r"npm error (?!code )", line)]
    telling = [line for line in lines if re.search(r"\b\w*error\b", line, re.IGNORECASE)]
    return (of_npm[:1] or telling[-1:] or lines[-1:] or [""])[0][:200]
