"""``better-auth users``: what an operator does to users."""

import asyncio
import json
import sys
from datetime import timedelta
from typing import Annotated

import typer

from better_auth.adapters import contains
from better_auth.cli.application import opened, settle
from better_auth.cli.options import Application, AsJson, Database, as_it_is, user_named, whole
from better_auth.errors import AuthError, ConfigurationError
from better_auth.models import User
from better_auth.plugins import AdminPlugin, AnonymousPlugin

app = typer.Typer(help="Create, list and purge users, give them roles.", no_args_is_help=True)

Role = Annotated[str | None, typer.Option(help="A role of the admin plugin, such as admin.")]


@app.command()
def create(
    email: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option()],
    role: Role = None,
    password: Annotated[
        str | None, typer.Option(help="Asked for, or read from standard input, if left out.")
    ] = None,
    application: Application = None,
    database: Database = None,
) -> None:
    """Create a user who can sign in; the address counts as verified."""
    settle(application, database=database)
    if password is None:
        is_person = sys.stdin.isatty()
        password = (
            typer.prompt("Password", hide_input=True, confirmation_prompt=True)
            if is_person
            else sys.stdin.readline().rstrip("\n")
        )

    async def work(password: str) -> User:
        async with opened() as auth:
            await auth.users.check_new_password(password)
            roles = {"role": auth.plugin(AdminPlugin).roles.checked(role)} if role else {}
            return await auth.users.create(
                name=name,
                email=email,
                password_hash=await auth.context.passwords.hash(password),
                email_verified=True,
                fields=roles,
            )

    try:
        user = asyncio.run(work(password))
    except AuthError as error:
        raise ConfigurationError(error.message) from None
    typer.echo(f"{user.id} {user.email}")


@app.command("set-role")
def set_role(
    user: Annotated[str, typer.Option("--user", help="E-mail address or id.")],
    role: Annotated[str, typer.Option(help="One role, or several separated by commas.")],
    application: Application = None,
    database: Database = None,
) -> None:
    """Give a user another role; their sessions end."""
    settle(application, database=database)

    async def work() -> User:
        async with opened() as auth:
            return await auth.plugin(AdminPlugin).give_role(await user_named(auth, user), role)

    try:
        changed = asyncio.run(work())
    except AuthError as error:
        raise ConfigurationError(error.message) from None
    typer.echo(f"{changed.id} {changed.email} {role}")


@app.command("purge-anonymous")
def purge_anonymous(
    days: Annotated[int, typer.Option(min=1, help="Only those made so many days ago.")] = 30,
    application: Application = None,
    database: Database = None,
) -> None:
    """Delete anonymous users whose sessions are over: nobody can be them any longer."""
    settle(application, database=database)

    async def work() -> int:
        async with opened() as auth:
            return await auth.plugin(AnonymousPlugin).purge(timedelta(days=days))

    typer.echo(f"{asyncio.run(work())} anonymous users deleted")


@app.command("list")
def list_users(
    search: Annotated[str, typer.Option(help="Part of the e-mail address.")] = "",
    limit: Annotated[int, typer.Option(min=1)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    application: Application = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List users, the oldest first."""
    settle(application, database=database)

    async def work() -> tuple[list[User], int]:
        async with opened() as auth:
            where = {"email": contains(search)} if search else {}
            page = await auth.database.find(
                User, order_by=("created_at", "id"), limit=limit, offset=offset, **where
            )
            return page, await auth.database.count(User, **where)

    found, total = asyncio.run(work())
    if as_json:
        rows = [user.model_dump(mode="json", by_alias=True) for user in found]
        typer.echo(json.dumps({"users": rows, "total": total}, indent=2))
        return
    from rich.console import Console  # slow to import, and `serve` needs none of it
    from rich.table import Table

    table = Table(*map(whole, ("id", "e-mail", "verified", "name", "created")))
    for user in found:
        verified = "yes" if user.email_verified else "no"
        created = f"{user.created_at:%Y-%m-%d %H:%M}"
        table.add_row(*as_it_is(user.id, user.email, verified, user.name, created))
    Console().print(table)
    typer.echo(f"{len(found)} of {total}")
