"""``better-auth`` as a person runs it, without the second that a process takes to import it.

Each command runs to its end in a process of its own, forked from one that has imported what every
command imports and has done nothing else.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.context import ForkServerContext
from pathlib import Path

import better_auth.cli.commands
from tests.support import PASSWORD, environment


def run(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; whoever it asks, types :data:`PASSWORD`."""
    with tempfile.TemporaryDirectory(prefix="better_auth_") as name:
        directory = Path(name)
        (directory / "stdin").write_text(f"{PASSWORD}\n")
        process = _forking().Process(
            target=_command, args=(arguments, str(cwd), environment(**more), name)
        )
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, 60)
        stdout, stderr = ((directory / stream).read_text() for stream in ("stdout", "stderr"))
        return subprocess.CompletedProcess(arguments, process.exitcode, stdout, stderr)


def _forking() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _command(arguments: tuple[str, ...], cwd: str, variables: dict[str, str], streams: str) -> None:
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(Path(streams, name), flags), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode) for number, mode in enumerate(("r", "w", "w"))
    )
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["better-auth", *arguments]
    better_auth.cli.main()
