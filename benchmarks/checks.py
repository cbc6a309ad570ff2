"""Session checks against an application that answers the same bytes."""

from typing import Any

from benchmarks.data import Filled
from benchmarks.lab import Lab, Side, rate_of
from benchmarks.report import Row, at_least, by_ratio
from benchmarks.servers import Server, fetch

SAME_HEADERS = {"content-type", "cache-control", "content-length"}
"""What the floor answers besides the body; the server adds its own date."""


def against_bare(
    lab: Lab, name: str, filled: Filled, checks: list[bytes], target: float, **options: Any
) -> Row:
    """``checks`` of the library, served with ``options``, in parts of the bare application."""
    with Server("library", lab.cores.server, database=filled.path, **options) as library:
        _, headers, body = fetch(library.port, checks[0])
        head = [header for header in headers if header[0] in SAME_HEADERS]
        canned = {"body": body.decode("latin-1"), "head": head}
        with Server("bare", lab.cores.server, **canned) as bare:
            compared = lab.compare(Side(library, checks), Side(bare, checks))
    return by_ratio(
        name,
        f"{rate_of(compared.subject):,.0f}/s",
        f"{rate_of(compared.floor):,.0f}/s",
        compared.ratio,
        at_least(target),
        compared.notes,
    )
