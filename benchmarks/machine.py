"""What is asked of the machine: which core does what, and what a process uses of it."""

import os
from dataclasses import dataclass
from pathlib import Path

Core = int


@dataclass(frozen=True, slots=True)
class Cores:
    """One core for whatever is measured, another for whoever measures."""

    server: Core
    load: Core

    @classmethod
    def available(cls) -> "Cores":
        """Two of the cores this process may use (the same one twice where there is only one)."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(server=allowed[0], load=allowed[-1])


def family(pid: int) -> list[int]:
    """A process and those it has started: some servers work in children of the first."""
    found = [pid]
    for process in found:
        children = Path(f"/proc/{process}/task/{process}/children")
        found += map(int, children.read_text().split())
    return found


def resident_bytes(pid: int) -> int:
    """The resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {pid} has no memory")


def cpu_seconds(pid: int) -> float:
    """The processor time a process and its children have used, user and system, all threads."""
    return sum(_cpu_ticks(process)[0] for process in family(pid)) / os.sysconf("SC_CLK_TCK")


def postgresql_cpu_seconds() -> float:
    """The same of every PostgreSQL server process of this machine, those that have ended included;
    0 where there is none to be seen."""
    ticks = 0
    for directory in Path("/proc").iterdir():
        try:
            if directory.name.isdigit() and (directory / "comm").read_text() == "postgres\n":
                ticks += sum(_cpu_ticks(int(directory.name)))
        except OSError:
            continue  # ended meanwhile; its parent counts it
    return ticks / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int) -> tuple[int, int]:
    """Of the process, and of children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
