"""The table: what was measured, against what, and whether that is good enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ROW_MEASURED_FLOOR = ("row", "measured", "floor", "ratio", "target", "")


@dataclass(frozen=True, slots=True)
class Target:
    """The bound of one figure, best or worst value still good."""

    limit: float
    at_least: bool
    text: str

    def is_met_by(self, value: float) -> bool:
        """Whether ``value`` is on the right side."""
        return value >= self.limit if self.at_least else value <= self.limit


def at_least(limit: float) -> Target:
    """A ratio that should be large."""
    return Target(limit, at_least=True, text=f">= {limit:.2f}")


def at_most(limit: float, unit: str = "") -> Target:
    """A ratio, or with a ``unit`` a measured figure, that should be small."""
    shown = f"{limit:g} {unit}" if unit else f"{limit:.2f}"
    return Target(limit, at_least=False, text=f"<= {shown}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    ``judged`` is the figure the target is about: the ratio, unless the target has a unit. Without
    a target the row only informs.
    ``notes`` are printed below the table; ``key`` and ``figures`` are for programs.
    """

    name: str
    measured: str
    floor: str
    ratio: float
    target: Target | None
    judged: float
    notes: Sequence[str] = field(default=())
    figures: Mapping[str, float] = field(default_factory=dict)
    key: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the target is met."""
        return self.target is None or self.target.is_met_by(self.judged)


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that could not be measured."""

    name: str
    reason: str


def by_ratio(
    name: str,
    measured: str,
    floor: str,
    ratio: float,
    target: Target | None,
    notes: Sequence[str] = (),
    figures: Mapping[str, float] | None = None,
    key: str = "",
) -> Row:
    """A row whose ratio is what counts."""
    return Row(name, measured, floor, ratio, target, ratio, notes, figures or {}, key)


def render(
    outcomes: Sequence[Row | Failure], headings: tuple[str, ...] = ROW_MEASURED_FLOOR
) -> str:
    """The table, the notes of its rows, and what failed."""
    cells = [headings, *(_cells(outcome) for outcome in outcomes)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    lines = ["  ".join(_aligned(line, widths)).rstrip() for line in cells]
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            lines += ["", f"{outcome.name}: {outcome.reason}"]
        elif outcome.notes:
            lines += ["", f"{outcome.name}:", *(f"  {note}" for note in outcome.notes)]
    return "\n".join(lines)


def _cells(outcome: Row | Failure) -> tuple[str, ...]:
    if isinstance(outcome, Failure):
        return (outcome.name, "-", "-", "-", "-", "FAILED")
    figures = (outcome.name, outcome.measured, outcome.floor, f"{outcome.ratio:.2f}")
    if outcome.target is None:
        return (*figures, "-", "")
    return (*figures, outcome.target.text, "ok" if outcome.is_good else "MISS")


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    name, *figures = zip(line, widths, strict=True)
    return [name[0].ljust(name[1]), *(text.rjust(width) for text, width in figures)]
