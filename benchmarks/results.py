"""Results for programs: a JSON file of rows by their keys, to which each run adds its own.

So a table that takes long can be measured in pieces. A row measured again replaces the older one;
each says when it was measured, and whether quickly.
"""

import json
import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import Cores
from benchmarks.report import Failure, Row


@dataclass(frozen=True, slots=True)
class Measured:
    """One row as it is kept."""

    name: str
    measured: str
    floor: str
    ratio: float
    target: str | None
    is_good: bool
    notes: list[str]
    figures: dict[str, float]
    at: str
    """When: UTC, to the minute."""
    quick: bool


@dataclass(frozen=True, slots=True)
class Results:
    """What has been measured on one machine."""

    machine: str = ""
    rows: dict[str, Measured] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Results":
        """What ``path`` holds; nothing where there is no such file."""
        if not path.exists():
            return cls()
        kept = json.loads(path.read_text())
        return cls(kept["machine"], {key: Measured(**row) for key, row in kept["rows"].items()})

    def write(self, path: Path) -> None:
        """Replace what ``path`` holds."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    def figure(self, key: str, name: str) -> float | None:
        """One figure of one row, where it was measured."""
        row = self.rows.get(key)
        return None if row is None else row.figures.get(name)


def add(path: Path, machine: str, outcomes: Sequence[Row | Failure], *, quick: bool) -> None:
    """Add rows to those of ``path``; failures are not kept."""
    rows = dict(Results.read(path).rows)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    for row in outcomes:
        if isinstance(row, Row):
            rows[row.key] = Measured(
                row.name,
                row.measured,
                row.floor,
                row.ratio,
                row.target.text if row.target else None,
                row.is_good,
                list(row.notes),
                dict(row.figures),
                now,
                quick,
            )
    Results(machine, rows).write(path)


def describe_machine(cores: Cores) -> str:
    """What figures are taken on."""
    return (
        f"{os.cpu_count()} cores (server on {cores.server}, load on {cores.load}), "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
