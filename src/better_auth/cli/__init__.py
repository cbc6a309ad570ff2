"""The command line: ``better-auth``."""

import sys

from better_auth.errors import ConfigurationError, MissingExtra


def main() -> None:
    """Run the command line; a wrong setting is one line on stderr and exit status 2."""
    try:
        try:
            from better_auth.cli.commands import app  # an optional extra
        except ModuleNotFoundError as error:
            if error.name not in ("typer", "rich", "uvicorn"):
                raise
            raise MissingExtra("better-auth", "server") from None
        app()
    except ConfigurationError as error:
        print(f"better-auth: {error}", file=sys.stderr)
        sys.exit(2)
