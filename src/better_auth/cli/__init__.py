"""The command line: ``better-auth``."""

import sys

from better_auth.errors import ConfigurationError, DatabaseUnavailable, MissingExtra


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
    except DatabaseUnavailable as error:
        cause = getattr(error.__cause__, "orig", None) or error.__cause__ or ""
        reason = str(cause).partition("\n")[0] or "no answer in time"
        print(f"better-auth: the database cannot be used: {reason}", file=sys.stderr)
        sys.exit(1)
