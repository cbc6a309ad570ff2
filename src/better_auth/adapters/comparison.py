"""What a database that has tables of ours lacks, as Alembic finds by comparing.

Only additions count: tables, columns, indexes. Nothing that holds data is dropped or changed.
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

from better_auth.adapters.statements import undoubled
from better_auth.errors import ConfigurationError


def additions(connection: sa.Connection, metadata: sa.MetaData) -> list[MigrateOperation]:
    """The additive differences, tables before what hangs on them.

    Raises ``ConfigurationError`` where a new column could not be filled in existing rows.
    """

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


def invoke(step: MigrateOperation, connection: sa.Connection) -> None:
    """Run ``step`` in the connection's transaction."""
    Operations(MigrationContext.configure(connection)).invoke(step)


def as_sql(step: MigrateOperation, connection: sa.Connection) -> str:
    """The SQL of ``step``."""
    written = StringIO()
    context = MigrationContext.configure(
        dialect=connection.dialect, opts={"as_sql": True, "output_buffer": written}
    )
    Operations(context).invoke(step)
    return undoubled(written.getvalue().strip().rstrip(";"), connection.dialect)
