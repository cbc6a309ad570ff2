"""``python -m benchmarks.peers``: ours and the peers under the same load, as one table."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.machine import Cores
from benchmarks.peers.peers import PEERS
from benchmarks.peers.race import race
from benchmarks.report import Row, render
from benchmarks.results import add, describe_machine

HEADINGS = ("row", "ours", "peer", "ratio", "target", "")


def main() -> int:
    """Measure against the peers asked for; 1 where ``--strict`` and one row is not good enough."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--scratch", type=Path, help="keep what is installed in this directory")
    parser.add_argument("--postgres", default="postgresql://root@127.0.0.1:5432", metavar="URL")
    parser.add_argument("--quick", action="store_true", help="shorter, less exact")
    parser.add_argument("--only", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--strict", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the rows to a file's")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the servers, drops the database
    with tempfile.TemporaryDirectory() as directory:
        lab = Lab(Cores.available(), Path(directory), arguments.quick)
        installed = (arguments.scratch or lab.scratch / "installed").resolve()
        outcomes = list(race(lab, installed, arguments.postgres, arguments.only))
    machine = describe_machine(lab.cores)
    if arguments.json:
        add(arguments.json, machine, outcomes, quick=arguments.quick)
    print(f"{machine}\n\n{render(outcomes, HEADINGS)}")
    is_good = all(isinstance(outcome, Row) and outcome.is_good for outcome in outcomes)
    return 1 if arguments.strict and not is_good else 0


if __name__ == "__main__":
    sys.exit(main())
