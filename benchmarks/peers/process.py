"""A peer's server process: started with what it needs in its environment, ended by its id."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.peers.environments import PeerFailed, reason_in, run
from benchmarks.peers.peers import Peer
from benchmarks.servers import ServerFailed, end, free_port, wait_until_open

POSTGRES_DATABASE = "better_auth_bench_peers"
"""Made for the run and dropped after it; nobody else may have one of this name."""


class PeerServer:
    """A process on a port."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.port = port
        self.pid = process.pid


@contextmanager
def serving(peer: Peer, installed: Path, lab: Lab, postgres: str) -> Iterator[PeerServer]:
    """Serve ``peer`` on the server's core with a new database. Raises ``PeerFailed``."""
    with _database(peer, installed, lab.scratch, postgres) as database:
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "NODE_ENV": "production",
            "PORT": str(port),
            **database,
        }
        log = lab.scratch / f"{peer.program}.log"
        command = peer.environment.command(installed, peer.program, port)
        with log.open("w") as output, lab.pinned():
            process = subprocess.Popen(
                command, cwd=lab.scratch, env=environment, stdout=output, stderr=output, text=True
            )
        try:
            try:
                wait_until_open(port, process)
            except ServerFailed as failure:
                said = reason_in(log.read_text()) or str(failure).partition(";")[0]
                raise PeerFailed(f"did not start: {said}") from None
            yield PeerServer(process, port)
        finally:
            end(process)


@contextmanager
def _database(
    peer: Peer, installed: Path, scratch: Path, postgres: str
) -> Iterator[dict[str, str]]:
    if not peer.on_postgres:
        path = scratch / f"{peer.environment.name}.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # as ours; the file remembers
        yield {"SQLITE": str(path)}
        return
    url = {"POSTGRES": f"{postgres.rstrip('/')}/{POSTGRES_DATABASE}"}
    script = str(installed / "postgres.mjs")
    run(["node", script, "make"], environment=url)
    try:
        yield url
    finally:
        run(["node", script, "drop"], environment=url)
