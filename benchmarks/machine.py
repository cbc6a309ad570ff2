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


def resident_bytes(pid: int) -> int:
    """The resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {pid} has no memory")


def cpu_seconds(pid: int) -> float:
    """The processor time a process has used, in user and system mode, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
