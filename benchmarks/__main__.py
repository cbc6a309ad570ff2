"""``python -m benchmarks``: measure and print the table."""

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.machine import Cores
from benchmarks.report import Failure, Row, render
from benchmarks.rows import ROWS


def main() -> int:
    """Measure the rows asked for; 1 where ``--strict`` and one is not good enough."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and smaller, less exact")
    parser.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--strict", action="store_true", help="exit 1 where a target is missed")
    arguments = parser.parse_args()
    outcomes: list[Row | Failure] = []
    with tempfile.TemporaryDirectory() as scratch:
        lab = Lab(Cores.available(), Path(scratch), arguments.quick)
        for name in arguments.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                outcomes.append(ROWS[name](lab))
            except Exception as error:
                outcomes.append(Failure(name, f"{type(error).__name__}: {error}"))
    print(machine(lab.cores))
    print(render(outcomes))
    is_good = all(isinstance(outcome, Row) and outcome.is_good for outcome in outcomes)
    return 1 if arguments.strict and not is_good else 0


def machine(cores: Cores) -> str:
    """What the figures were taken on."""
    return (
        f"{os.cpu_count()} cores (server on {cores.server}, load on {cores.load}), "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
