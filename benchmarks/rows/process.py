"""The process: its memory, and how soon it answers."""

import os
import time
from statistics import median

from benchmarks import load
from benchmarks.lab import Lab
from benchmarks.machine import resident_bytes
from benchmarks.report import Row, at_most, by_ratio
from benchmarks.servers import Server
from benchmarks.startup import first_answer


def memory(lab: Lab) -> Row:
    """Resident memory after a million session checks, against after the first few."""
    count = 100_000 if lab.quick else 1_000_000
    checks = lab.database.checks_by_cookie()
    with Server("library", lab.cores.server, database=lab.database.path) as server:

        def ask(times: int) -> int:
            load.run([load.Stream(server.port, checks, count=times)], lab.cores.load)
            return resident_bytes(server.pid)

        before = ask(20_000)
        after = ask(count)
    return by_ratio(
        f"memory after {count:,} checks",
        f"{after / 2**20:.1f} MiB",
        f"{before / 2**20:.1f} MiB (20,000)",
        after / before,
        at_most(1.05),
    )


def start_up_fresh(lab: Lab) -> Row:
    """From process start to the first answer, the database still to be made."""
    return _start_up(lab, "start-up, no database", fresh=True)


def start_up_existing(lab: Lab) -> Row:
    """The same on a database that is there."""
    return _start_up(lab, "start-up, database there", fresh=False)


def _start_up(lab: Lab, name: str, *, fresh: bool) -> Row:
    interpreter = median(_bare_interpreter() for _ in range(3))
    times = []
    directory = lab.scratch / name.replace(" ", "-")
    if not fresh:
        first_answer(directory)
    for number in range(5):
        times.append(first_answer(directory / str(number) if fresh else directory))
    seconds = median(times)
    return Row(
        name,
        f"{seconds:.2f} s",
        f"{interpreter:.2f} s (python)",
        seconds / interpreter,
        at_most(1.0, "s"),
        seconds,
        [f"{min(times):.2f} to {max(times):.2f} s in {len(times)} starts of `better-auth serve`"],
    )


def _bare_interpreter() -> float:
    started = time.perf_counter()
    os.spawnvp(os.P_WAIT, "python3", ["python3", "-c", "pass"])
    return time.perf_counter() - started
