"""``python -m benchmarks.peers``: ours and the peers under the same load, as one table."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.__main__ import machine
from benchmarks.lab import Lab
from benchmarks.machine import Cores
from benchmarks.peers.measure import Installations, Race
from benchmarks.peers.peers import PEERS
from benchmarks.report import Failure, Row, render
from benchmarks.servers import Server

HEADINGS = ("row", "ours", "peer", "ratio", "target", "")


def main() -> int:
    """Measure against the peers asked for; 1 where ``--strict`` and one row is not good enough."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--scratch", type=Path, help="keep what is installed in this directory")
    parser.add_argument("--postgres", default="postgresql://root@127.0.0.1:5432", metavar="URL")
    parser.add_argument("--quick", action="store_true", help="shorter, less exact")
    parser.add_argument("--only", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--strict", action="store_true", help="exit 1 where a target is missed")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the servers, drops the database
    outcomes: list[Row | Failure] = []
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        installations = Installations((arguments.scratch or scratch / "installed").resolve())
        lab = Lab(Cores.available(), scratch, arguments.quick)
        with Server("library", lab.cores.server, database=str(scratch / "ours.db")) as ours:
            race = Race(lab, ours, installations, arguments.postgres)
            for name in arguments.only:
                outcomes += race.against(PEERS[name])
    print(machine(lab.cores))
    print(render(outcomes, HEADINGS))
    is_good = all(isinstance(outcome, Row) and outcome.is_good for outcome in outcomes)
    return 1 if arguments.strict and not is_good else 0


if __name__ == "__main__":
    sys.exit(main())
