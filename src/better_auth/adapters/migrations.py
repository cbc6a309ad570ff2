"""Bringing a database to the schema the application's records describe.

The tables follow from the records, plugins' and the user's own included, so no fixed chain of
revisions can describe them; Alembic compares what is there with what should be, and only adds:
tables, columns, indexes. Nothing that holds data is dropped or changed.
"""

from collections.abc import Iterator
from io import StringIO

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations
from alembic.operations import Operations
from alembic.operations.ops import (
    AddColumnOp,
    CreateIndexOp,
    CreateTableOp,
    MigrateOperation,
    OpContainer,
)
from alembic.runtime.migration import MigrationContext

from better_auth.errors import ConfigurationError


def plan_migration(connection: sa.Connection, metadata: sa.MetaData) -> list[str]:
    """The SQL statements that would bring this database up to ``metadata``; none: it is.

    Raises ``ConfigurationError`` where a new column could not be filled in existing rows.
    """
    return [_as_sql(step, connection) for step in _steps(connection, metadata)]


def apply_migration(connection: sa.Connection, metadata: sa.MetaData) -> list[str]:
    """Run what :func:`plan_migration` plans, in the connection's transaction; returns the SQL."""
    operations = Operations(MigrationContext.configure(connection))
    statements = []
    for step in _steps(connection, metadata):
        statements.append(_as_sql(step, connection))
        operations.invoke(step)
    return statements


def _steps(connection: sa.Connection, metadata: sa.MetaData) -> list[MigrateOperation]:
    """The additive differences, tables before what hangs on them."""

    def is_ours(name: str | None, kind: str, parents: object) -> bool:
        return kind != "table" or name in metadata.tables

    context = MigrationContext.configure(
        connection, opts={"include_name": is_ours, "compare_type": False}
    )
    script = produce_migrations(context, metadata)
    steps = list(_additions(script.upgrade_ops)) if script.upgrade_ops else []
    for step in steps:
        if (
            isinstance(step, AddColumnOp)
            and not step.column.nullable
            and step.column.server_default is None
        ):
            raise ConfigurationError(
                f"column {step.table_name}.{step.column.name} is new and required: "
                "give its field a default, or the rows already there would have no value"
            )
    return steps


def _additions(container: OpContainer) -> Iterator[MigrateOperation]:
    for step in container.ops:
        if isinstance(step, OpContainer):
            yield from _additions(step)
        elif isinstance(step, (AddColumnOp, CreateIndexOp, CreateTableOp)):
            yield step


def _as_sql(step: MigrateOperation, connection: sa.Connection) -> str:
    written = StringIO()
    context = MigrationContext.configure(
        dialect=connection.dialect, opts={"as_sql": True, "output_buffer": written}
    )
    Operations(context).invoke(step)
    return written.getvalue().strip().rstrip(";")
