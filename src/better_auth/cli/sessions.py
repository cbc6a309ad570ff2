"""``better-auth sessions``: what an operator does to sessions."""

import asyncio
import json
from typing import Annotated

import typer

from better_auth.adapters import gt
from better_auth.cli.application import opened, settle
from better_auth.cli.options import Application, AsJson, Database, as_it_is, user_named, whole
from better_auth.errors import ConfigurationError
from better_auth.models import Session

app = typer.Typer(help="List, revoke and purge sessions.", no_args_is_help=True)

Whose = Annotated[str | None, typer.Option("--user", help="E-mail address or id.")]


@app.command("list")
def list_sessions(
    user: Annotated[str, typer.Option("--user", help="E-mail address or id.")],
    application: Application = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List a user's live sessions, newest first; never their tokens."""
    settle(application, database=database)

    async def work() -> list[Session]:
        async with opened() as auth:
            owner = await user_named(auth, user)
            return await auth.sessions.list_for(owner.id)

    found = asyncio.run(work())
    if as_json:
        rows = [s.model_dump(mode="json", by_alias=True, exclude={"token"}) for s in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console  # slow to import, and `serve` needs none of it
    from rich.table import Table

    table = Table(*map(whole, ("id", "created", "expires", "address", "user agent")))
    for s in found:
        times = (f"{moment:%Y-%m-%d %H:%M}" for moment in (s.created_at, s.expires_at))
        table.add_row(*as_it_is(s.id, *times, s.ip_address, s.user_agent))
    Console().print(table)


@app.command()
def revoke(
    user: Whose = None,
    session_id: Annotated[str | None, typer.Option("--id", help="One session's id.")] = None,
    application: Application = None,
    database: Database = None,
) -> None:
    """End one session (--id), or all of a user's (--user)."""
    if (user is None) == (session_id is None):
        raise ConfigurationError("give either --user or --id")
    settle(application, database=database)

    async def work() -> int:
        async with opened() as auth:
            if user is not None:
                owner = await user_named(auth, user)
                return len(await auth.sessions.revoke_all(owner.id))
            now = auth.context.clock()
            session = await auth.database.find_one(Session, id=session_id, expires_at=gt(now))
            return int(session is not None and await auth.sessions.revoke(session))

    typer.echo(f"{asyncio.run(work())} sessions ended")


@app.command()
def purge(application: Application = None, database: Database = None) -> None:
    """Delete what has expired in batches: sessions, verifications, audit events."""
    from rich.console import Console  # slow to import, and `serve` needs none of it
    from rich.progress import Progress

    settle(application, database=database)

    async def work() -> int:
        gone = 0
        async with opened() as auth:
            total = await auth.sessions.count_expired()
            with Progress(disable=not Console().is_terminal) as progress:
                bar = progress.add_task("Purging", total=total)
                async for batch in auth.sessions.purge():
                    gone += batch
                    progress.update(bar, advance=batch)
        return gone

    typer.echo(f"{asyncio.run(work())} expired rows deleted")
