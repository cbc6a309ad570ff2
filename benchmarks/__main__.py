"""``python -m benchmarks``: measure and print the table."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.machine import Cores
from benchmarks.peers.peers import PEERS
from benchmarks.peers.race import race
from benchmarks.report import Failure, Row, render
from benchmarks.results import add, describe_machine
from benchmarks.rows import ROWS


def main() -> int:
    """Measure the rows asked for; 1 where ``--strict`` and one is not good enough."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the servers, drops the schemas
    outcomes: list[Row | Failure] = []
    with tempfile.TemporaryDirectory() as directory:
        lab = Lab(Cores.available(), Path(directory), arguments.quick)
        machine = describe_machine(lab.cores)
        for name in arguments.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            outcomes += _measured(name, lab)
        installed = (arguments.scratch or lab.scratch / "installed").resolve()
        outcomes += race(lab, installed, arguments.postgres, arguments.peers)
    if arguments.json:
        add(arguments.json, machine, outcomes, quick=arguments.quick)
    print(f"{machine}\n\n{render(outcomes)}")
    is_good = all(isinstance(outcome, Row) and outcome.is_good for outcome in outcomes)
    return 1 if arguments.strict and not is_good else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and smaller, less exact")
    parser.add_argument("--only", nargs="*", choices=list(ROWS), default=list(ROWS), metavar="ROW")
    parser.add_argument("--strict", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the rows to a file's")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=list(PEERS),
        metavar="PEER",
        help="other libraries in the same run; without names, all",
    )
    parser.add_argument("--scratch", type=Path, help="keep peers' packages in this directory")
    parser.add_argument("--postgres", default="postgresql://root@127.0.0.1:5432", metavar="URL")
    arguments = parser.parse_args()
    if arguments.peers is None:
        arguments.peers = []
    elif not arguments.peers:
        arguments.peers = list(PEERS)
    return arguments


def _measured(name: str, lab: Lab) -> Iterator[Row | Failure]:
    """The row or rows of ``name``, each with a key."""
    try:
        measured = ROWS[name](lab)
        for row in [measured] if isinstance(measured, Row) else measured:
            yield row if row.key else replace(row, key=name)
    except Exception as error:
        yield Failure(name, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main())
