"""Ours and the peers under the same load, one peer after the other."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.peers.measure import Installations, Race
from benchmarks.peers.peers import PEERS
from benchmarks.report import Failure, Row
from benchmarks.servers import Server
from benchmarks.stock import new_schema


def race(lab: Lab, installed: Path, postgres: str, names: Sequence[str]) -> Iterator[Row | Failure]:
    """The rows of the peers of these names. Each is measured against ours on the same kind of
    database."""
    peers = [(name, PEERS[name]) for name in names]
    installations = Installations(installed)
    for on_postgres in (False, True):
        asked = [(name, peer) for name, peer in peers if peer.on_postgres == on_postgres]
        if not asked:
            continue
        with ExitStack() as until_the_end:
            if on_postgres:
                database = until_the_end.enter_context(new_schema())
            else:
                database = str(lab.scratch / "ours.db")
            server = Server("library", lab.cores.server, database=database)
            ours = until_the_end.enter_context(server)
            running = Race(lab, ours, installations, postgres)
            for name, peer in asked:
                yield from running.against(name, peer)
