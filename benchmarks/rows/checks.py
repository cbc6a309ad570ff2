"""Session checks over HTTP, on SQLite, by the ways there are."""

import asyncio

from benchmarks.apps import make_auth
from benchmarks.data import CLIENT, COOKIE, Filled, fill
from benchmarks.lab import Lab, Side, rate_of
from benchmarks.report import Row, at_least, at_most, by_ratio
from benchmarks.rows.against import against_bare
from benchmarks.servers import Server, request
from better_auth.adapters.hot_reads import REMEMBERED


def get_session_by_bearer(lab: Lab) -> Row:
    """``GET /get-session`` with ``Authorization`` in place of the cookie."""
    checks = lab.database.checks_by_bearer()
    return against_bare(lab, "get-session, bearer", lab.database, checks, 0.5)


IN_USE = 1000


def growth(lab: Lab) -> Row:
    """A session check among a million stored sessions against one among a thousand; as many of
    them in use."""
    many = 100_000 if lab.quick else 1_000_000
    few = fill(lab.scratch / "few.db", IN_USE, sample=IN_USE)
    full = fill(lab.scratch / "many.db", many, sample=IN_USE)
    with (
        Server("library", lab.cores.server, database=full.path) as large,
        Server("library", lab.cores.server, database=few.path) as small,
    ):
        compared = lab.compare(
            Side(large, full.checks_by_cookie()), Side(small, few.checks_by_cookie())
        )
    return by_ratio(
        f"check among {many:,} sessions",
        f"{rate_of(compared.subject):,.0f}/s",
        f"{rate_of(compared.floor):,.0f}/s (1,000)",
        1 / compared.ratio,
        at_most(1.3),
        compared.notes,
    )


def reads(lab: Lab) -> Row:
    """``GET /get-session`` where no session comes twice before it is forgotten: each one reads."""
    filled = fill(lab.scratch / "reads.db", 8 * REMEMBERED, sample=4 * REMEMBERED)
    return against_bare(lab, "get-session, all read", filled, filled.checks_by_cookie(), 0.2)


def fastapi_route(lab: Lab) -> Row:
    """A FastAPI route with ``CurrentSession`` against the same route without."""
    user_id = "0" * 36
    checks = lab.database.checks_by_bearer("/me")
    with (
        Server("fastapi-with-session", lab.cores.server, database=lab.database.path) as subject,
        Server("fastapi-without", lab.cores.server, user_id=user_id) as floor,
    ):
        compared = lab.compare(Side(subject, checks), Side(floor, checks))
    return by_ratio(
        "FastAPI route, CurrentSession",
        f"{rate_of(compared.subject):,.0f}/s",
        f"{rate_of(compared.floor):,.0f}/s",
        compared.ratio,
        at_least(0.7),
        compared.notes,
    )


LISTED = 100


def listing(lab: Lab) -> Row:
    """``GET /list-sessions`` of a user with a hundred; what it costs is told by the ratio to an
    application that answers the same bytes, and by the peers' rates."""
    path = str(lab.scratch / "listing.db")
    token = asyncio.run(_one_user(path, LISTED))
    ask = [request("/auth/list-sessions", headers=[("Cookie", f"{COOKIE}={token}")])]
    filled = Filled(path, LISTED, [token], [])
    return against_bare(lab, f"list-sessions, {LISTED} sessions", filled, ask, None)


async def _one_user(path: str, sessions: int) -> str:
    auth = make_auth(path)
    async with auth.lifespan():
        user = await auth.users.create(name="Ada Lovelace", email="ada@example.com")
        made = [await auth.sessions.create(user, CLIENT) for _ in range(sessions)]
    return made[-1].token
