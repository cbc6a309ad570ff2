"""What a database that has tables of ours lacks, as Alembic finds by comparing.

Only additions count: tables, columns with what they refer to, indexes. Nothing that holds data is
dropped or changed.
"""

from collections.abc import Iterator
from io import StringIO

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations
from alembic.operations import Operations
from alembic.operations.ops import (
    AddColumnOp,
    CreateForeignKeyOp,
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
    if connection.dialect.name == "sqlite":
        steps = [step for step in steps if not isinstance(step, CreateForeignKeyOp)]
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
    added = set()
    for step in container.ops:
        if isinstance(step, OpContainer):
            yield from _additions(step)
        elif isinstance(step, (AddColumnOp, CreateIndexOp, CreateTableOp)):
            yield step
        if isinstance(step, AddColumnOp):
            added.add(step.column.name)
        elif isinstance(step, CreateForeignKeyOp) and added.issuperset(step.local_cols):
            yield step


def invoke(step: MigrateOperation, connection: sa.Connection) -> None:
    """Run ``step`` in the connection's transaction."""
    Operations(MigrationContext.configure(connection)).invoke(_referring(step, connection))


def as_sql(step: MigrateOperation, connection: sa.Connection) -> str:
    """The SQL of ``step``."""
    written = StringIO()
    context = MigrationContext.configure(
        dialect=connection.dialect, opts={"as_sql": True, "output_buffer": written}
    )
    Operations(context).invoke(_referring(step, connection))
    return undoubled(written.getvalue().strip().rstrip(";"), connection.dialect)


def _referring(step: MigrateOperation, connection: sa.Connection) -> MigrateOperation:
    """``step``, on SQLite a new column together with what it refers to: no foreign key can be
    added later there, nor to a column with a default."""
    if connection.dialect.name != "sqlite" or not isinstance(step, AddColumnOp):
        return step
    column = step.column
    if not column.foreign_keys or column.server_default is not None:
        return step
    keys = [
        sa.ForeignKey(key.target_fullname, ondelete=key.ondelete) for key in column.foreign_keys
    ]
    column = sa.Column(column.name, column.type, *keys, nullable=column.nullable)
    return AddColumnOp(step.table_name, column, inline_references=True)
