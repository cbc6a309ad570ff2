"""The commands. Each settles on an application, then does one thing to it."""

import asyncio
import json
import secrets
from typing import Annotated, Literal, TypeAlias

import typer

from better_auth.assembly import own_version
from better_auth.cli import audit, sessions, users
from better_auth.cli.application import load, opened, settle
from better_auth.cli.options import Application, Database

app = typer.Typer(
    name="better-auth",
    help="Authentication with the session at its heart.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(audit.app, name="audit")
app.add_typer(sessions.app, name="sessions")
app.add_typer(users.app, name="users")


LogFormat: TypeAlias = Literal["text", "json"]


@app.command()
def serve(
    application: Annotated[
        str | None,
        typer.Argument(metavar="[MODULE:AUTH]", help="Your own BetterAuth; none: the standalone."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one.")
    ] = 3000,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    database: Database = None,
    base_url: Annotated[str | None, typer.Option(help="Where browsers reach it.")] = None,
    mode: Annotated[str | None, typer.Option(help="development or production.")] = None,
    javascript_path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Where the JavaScript client is served; '': nowhere."),
    ] = None,
    access_log: Annotated[bool, typer.Option(help="Log each request.")] = False,
    log_format: Annotated[LogFormat, typer.Option(help="How logs look.")] = "text",
) -> None:
    """Serve the endpoints, by default on http://localhost:3000/auth."""
    from better_auth.cli.serving import run  # uvicorn, which no other command needs

    settle(
        application,
        database=database,
        base_url=base_url,
        mode=mode,
        javascript_path=javascript_path,
    )
    run(host, port, workers, access_log, log_format)


@app.command()
def secret() -> None:
    """Print a fresh secret."""
    typer.echo(secrets.token_urlsafe(48))


@app.command()
def migrate(
    application: Application = None,
    database: Database = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements instead.")] = False,
) -> None:
    """Bring the database's tables up to date."""
    settle(application, database=database)

    auth = load()

    async def work() -> list[str]:
        try:
            database = auth.database
            return await (database.pending_migration() if sql else database.migrate())
        finally:
            await auth.database.close()

    statements = asyncio.run(work())
    if sql:
        typer.echo("".join(f"{statement};\n" for statement in statements), nl=False)
    else:
        done = f"{len(statements)} statements run" if statements else "Nothing to do"
        typer.echo(f"{done} in {auth.database}")  # which may be another than was meant


@app.command()
def openapi(application: Application = None, database: Database = None) -> None:
    """Print the OpenAPI document."""
    settle(application, database=database)

    async def work() -> None:
        async with opened() as auth:
            typer.echo(json.dumps(auth.openapi(), indent=2))

    asyncio.run(work())


@app.callback(invoke_without_command=True)
def version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Print the version, where asked."""
    if version:
        typer.echo(own_version())
        raise typer.Exit
