"""``python -m benchmarks.plots``: results as pictures and as tables in the documentation.

Reads what ``python -m benchmarks --json`` wrote; draws ``docs/img/throughput.svg`` and
``docs/img/growth.svg``, and fills what stands between the markers of ``docs/scaling.md``. The same
results make the same bytes.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.figure import Figure

from benchmarks.peers.peers import PEERS
from benchmarks.results import Results
from benchmarks.rows import ROWS
from benchmarks.rows.growth import SIZES
from benchmarks.rows.homes import HOMES
from benchmarks.servers import SERVER_PROGRAMS

RESULTS = Path("benchmarks/results/latest.json")
DOCS = Path("docs")
OURS, THEIRS, ACCENT = "#2f6f9f", "#b0b4b8", "#d17a22"

pyplot.rcParams.update(
    {
        "svg.hashsalt": "better_auth",
        "svg.fonttype": "none",  # text stays text
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One library on one database, as a share of the bare application."""

    title: str
    share: float
    rate: float
    is_ours: bool


def bars(results: Results) -> list[Bar]:
    """Ours by home and server program, then the peers; those that were measured.

    A peer's floor is that of our SQLite row: the bare application under uvicorn.
    """
    found = []
    for home, about in HOMES.items():
        for under in SERVER_PROGRAMS:
            key = home if under == "uvicorn" else f"{home}-{under}"
            ratio, rate = results.figure(key, "ratio"), results.figure(key, "rate")
            if ratio is not None and rate is not None:
                found.append(Bar(f"{about.title}, {under}", ratio, rate, True))
    bare = results.figure("sqlite", "floor_rate")
    for name, peer in PEERS.items():
        rate = results.figure(f"get-session-{name}", "floor_rate")
        if bare is not None and rate is not None:
            found.append(Bar(peer.name, rate / bare, rate, False))
    return found


def draw_throughput(found: Sequence[Bar]) -> Figure:
    """Bars, ours above the peers."""
    figure, axes = pyplot.subplots(figsize=(7.2, 0.6 + 0.3 * len(found)))
    places = range(len(found))
    colors = [OURS if bar.is_ours else THEIRS for bar in found]
    axes.barh(places, [bar.share for bar in found], color=colors)
    for place, bar in zip(places, found, strict=True):
        label = f"{bar.share:.2f}  ({bar.rate:,.0f}/s)"
        axes.text(bar.share + 0.01, place, label, va="center", fontsize=8)
    axes.set_yticks(places, [bar.title for bar in found])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("GET /get-session, in parts of an ASGI application that answers the same bytes")
    return figure


def draw_growth(results: Results) -> Figure | None:
    """p50 and p99 by stored sessions; None where fewer than two sizes were measured."""
    points = [
        (size, results.rows[key].figures)
        for size in SIZES
        if (key := f"growth-postgresql-{size}") in results.rows
    ]
    if len(points) < 2:
        return None
    figure, axes = pyplot.subplots(figsize=(7.2, 3.0))
    sizes = [size for size, _ in points]
    for name, color in (("p99", ACCENT), ("p50", OURS)):
        values = [figures[name] for _, figures in points]
        axes.plot(sizes, values, marker="o", color=color, label=name)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("sessions stored on PostgreSQL")
    axes.set_ylabel("a check, milliseconds")
    axes.legend(frameon=False)
    return figure


def save(figure: Figure, name: str) -> None:
    """Write one picture, without a date in it."""
    path = DOCS / "img" / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = path.read_text()
    path.write_text("".join(f"{line.rstrip()}\n" for line in text.splitlines()))
    print(path)


TABLES = {
    "checks": r"(get-session, |list-sessions|resolve|get-session: |list-sessions: )",
    "growth": r"(check among .* PostgreSQL|p99 of checks while )",
    "hosts": r"(check, 2 processes|sessions made)",
}
"""The rows of each table of ``docs/scaling.md``, by a pattern of their names."""


PICTURES = {
    "checks": ("Checks as a share of the bare application", "throughput"),
    "growth": ("A check by stored sessions", "growth"),
}
"""What stands above a table, where it has been drawn."""


def table(results: Results, pattern: str) -> str:
    """The rows whose names match, in Markdown; nothing where none do."""
    keys = sorted(results.rows, key=_place)
    rows = [results.rows[key] for key in keys if re.match(pattern, results.rows[key].name)]
    if not rows:
        return ""
    lines = ["| row | measured | floor | ratio | target |", "|---|---|---|---|---|"]
    for row in rows:
        met = "" if row.target is None else " ✓" if row.is_good else " (missed)"
        quick = ", quick" if row.quick else ""
        cells = (f"{row.name}{quick}", row.measured, row.floor, f"{row.ratio:.2f}")
        lines.append(f"| {' | '.join(cells)} | {row.target or '–'}{met} |")
    return "\n".join(lines)


def _place(key: str) -> tuple[int, int]:
    """Where the row stands: in the order of the rows, then of stored sessions; peers last."""
    order = list(ROWS)
    name, _, size = key.rpartition("-")
    if name in order and size.isdigit():
        return order.index(name), int(size)
    return order.index(key) if key in order else len(order), 0


def _picture(name: str) -> str:
    title, file = PICTURES.get(name, ("", ""))
    return f"![{title}](img/{file}.svg)\n\n" if (DOCS / "img" / f"{file}.svg").exists() else ""


def fill(text: str, results: Results) -> str:
    """``text`` with what stands between each pair of markers made anew, where it was measured."""
    for name, pattern in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        made = table(results, pattern)
        if made and begin in text and end in text:
            before, _, rest = text.partition(begin)
            _, _, after = rest.partition(end)
            text = f"{before}{begin}{_picture(name)}{made}\n{end}{after}"
    return text


def main() -> int:
    """Draw what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS)
    results = Results.read(parser.parse_args().results)
    if not results.rows:
        print("nothing measured: python -m benchmarks --json FILE first", file=sys.stderr)
        return 1
    if len(found := bars(results)) > 1:
        save(draw_throughput(found), "throughput")
    if (growth := draw_growth(results)) is not None:
        save(growth, "growth")
    page = DOCS / "scaling.md"
    page.write_text(fill(page.read_text(), results))
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
