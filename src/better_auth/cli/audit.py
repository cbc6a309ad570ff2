"""``better-auth audit``: what an operator asks the audit trail."""

import asyncio
import json
from typing import Annotated

import typer

from better_auth.cli.application import opened, settle
from better_auth.cli.options import Application, AsJson, Database, as_it_is, user_named, whole
from better_auth.plugins import AuditPlugin
from better_auth.plugins.audit import AuditEvent

app = typer.Typer(help="Read the audit trail.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Read the audit trail."""  # a callback keeps `list` a command of its own while it is alone


@app.command("list")
def list_events(
    user: Annotated[
        str | None, typer.Option("--user", help="E-mail address, or id (of a deleted user, too).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    application: Application = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List security events, newest first: a user's, or everybody's."""
    settle(application, database=database)

    async def work() -> list[AuditEvent]:
        async with opened() as auth:
            trail = auth.plugin(AuditPlugin)
            if user is None:
                return await trail.latest(limit=limit)
            # Only addresses are looked up: the trail outlives the users whose ids it holds.
            user_id = (await user_named(auth, user)).id if "@" in user else user
            return await trail.events_for(user_id, limit=limit)

    found = asyncio.run(work())
    if as_json:
        rows = [event.model_dump(mode="json", by_alias=True) for event in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console  # slow to import, and `serve` needs none of it
    from rich.table import Table

    table = Table(*map(whole, ("when", "what", "detail", "user", "by", "address")))
    for event in found:
        when = f"{event.created_at:%Y-%m-%d %H:%M:%S}"
        who = (event.user_id, event.actor_id, event.ip_address)
        table.add_row(*as_it_is(when, event.type, event.detail, *who))
    Console().print(table)
