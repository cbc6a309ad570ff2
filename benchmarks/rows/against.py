"""What is asked of the library, against an application that answers the same bytes."""

from typing import Any

from benchmarks.data import Filled
from benchmarks.lab import Lab, Side, rate_of
from benchmarks.report import Row, at_least, by_ratio
from benchmarks.servers import Server, ServerProgram, fetch

SAME_HEADERS = {"content-type", "cache-control", "content-length"}
"""What the floor answers besides the body; the server program adds its own date."""


def against_bare(
    lab: Lab,
    name: str,
    filled: Filled,
    asked: list[bytes],
    target: float | None,
    under: ServerProgram = "uvicorn",
    **options: Any,
) -> Row:
    """What the library, served with ``options``, answers to ``asked``, in parts of the bare
    application. Without a ``target`` the row only informs."""
    with Server(
        "library", lab.cores.server, under=under, database=filled.path, **options
    ) as library:
        status, headers, body = fetch(library.port, asked[0])
        assert status == 200, body
        head = [header for header in headers if header[0] in SAME_HEADERS]
        canned = {"body": body.decode("latin-1"), "head": head}
        with Server("bare", lab.cores.server, under=under, **canned) as bare:
            compared = lab.compare(Side(library, asked), Side(bare, asked))
    return by_ratio(
        name,
        f"{rate_of(compared.subject):,.0f}/s",
        f"{rate_of(compared.floor):,.0f}/s",
        compared.ratio,
        None if target is None else at_least(target),
        compared.notes,
        compared.figures,
    )
