"""Options that several commands take."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from better_auth.auth import BetterAuth
from better_auth.errors import ConfigurationError
from better_auth.models import User

if TYPE_CHECKING:
    from rich.table import Column
    from rich.text import Text

Application = Annotated[
    str | None, typer.Option("--app", metavar="MODULE:AUTH", help="Your own BetterAuth.")
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Database URL; else the environment's, or .better-auth/auth.db."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def whole(heading: str) -> "Column":
    """A table's column that folds what is long, since half an id is of no use."""
    from rich.table import Column  # slow to import, and `serve` needs none of it

    return Column(heading, overflow="fold")


def as_it_is(*texts: str | None) -> "list[Text]":
    """A table's cells: to users belongs what they are called and come with, which is no markup
    here, and nothing in it that a terminal would obey."""
    from rich.text import Text  # slow to import, and `serve` needs none of it

    return [
        Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text or ""))
        for text in texts
    ]


async def user_named(auth: BetterAuth[Any], name: str) -> User:
    """The user with this e-mail address or id. Raises ``ConfigurationError``."""
    user = await auth.users.find_by_email(name.lower()) or await auth.users.find(name)
    if user is None:
        raise ConfigurationError(f"there is no user {name} in {auth.database}")
    return user
