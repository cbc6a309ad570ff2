"""Which kind of database a URL names."""

import sqlalchemy as sa

from better_auth.adapters.backend import Backend
from better_auth.adapters.sqlite import SqliteBackend
from better_auth.errors import ConfigurationError


def make_backend(url: str, pool_size: int, patience: float) -> Backend:
    """What works with the database of ``url``.

    Raises ``ConfigurationError`` for one that is not supported, ``MissingExtra`` where its driver
    is not installed.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigurationError("database is no URL such as sqlite:///app.db") from None
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.query:
                raise ConfigurationError("database: an sqlite:/// URL takes no options")
            if parsed.host:
                raise ConfigurationError(
                    "database: an sqlite:/// URL has three slashes before a relative path, four "
                    "before an absolute one"
                )
            in_memory = not parsed.database or parsed.database == ":memory:"
            return SqliteBackend(None if in_memory else parsed.database)
        case "postgresql" | "postgres":
            from better_auth.adapters.postgresql import PostgresBackend  # an optional extra

            return PostgresBackend(parsed, pool_size=pool_size, patience=patience)
        case "mysql" | "mariadb":
            from better_auth.adapters.mysql import MySqlBackend  # an optional extra

            return MySqlBackend(parsed, pool_size=pool_size, patience=patience)
    raise ConfigurationError(
        f"database {parsed.drivername!r} is not supported; "
        "use sqlite:///, postgresql://, mysql:// or mariadb://"
    )
