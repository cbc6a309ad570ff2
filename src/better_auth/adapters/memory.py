"""A database for tests and trials: nothing touches a disk, everything is gone with it."""

from better_auth.adapters.sql import SqlDatabaseAdapter


class MemoryDatabaseAdapter(SqlDatabaseAdapter):
    """The SQL adapter on a private in-memory SQLite: real SQL, no second semantics.

    >>> from better_auth import AuthConfig, BetterAuth
    >>> auth = BetterAuth(AuthConfig("a secret of at least 32 characters"),
    ...                   database=MemoryDatabaseAdapter())
    """

    def __init__(self) -> None:
        super().__init__("sqlite://")
