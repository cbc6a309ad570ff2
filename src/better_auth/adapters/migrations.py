"""Bringing a database to the schema the application's records describe.

The tables follow from the records, plugins' and the user's own included, so no fixed chain of
revisions can describe them. An empty database is given all of them; where there are some, Alembic
compares what is there with what should be (``comparison.py``), and only adds.
"""

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from better_auth.adapters.statements import undoubled
from better_auth.errors import ConfigurationError


def is_up_to_date(connection: sa.Connection, metadata: sa.MetaData) -> bool:
    """Whether the database has every table, column and index; far cheaper than comparing all."""
    inspector = sa.inspect(connection)
    names = [table.name for table in metadata.tables.values()]
    if not set(names).issubset(inspector.get_table_names()):
        return False
    columns = inspector.get_multi_columns(filter_names=names)
    indexes = inspector.get_multi_indexes(filter_names=names)
    for table in metadata.tables.values():
        key = (None, table.name)
        has_columns = {column["name"] for column in columns[key]}
        has_indexes = {index["name"] for index in indexes.get(key, ())}
        if not has_columns.issuperset(column.name for column in table.columns):
            return False
        if not has_indexes.issuperset(index.name for index in table.indexes):
            return False
    return True


def plan_migration(connection: sa.Connection, metadata: sa.MetaData) -> list[str]:
    """The SQL statements that would bring this database up to ``metadata``; none: it is.

    Raises ``ConfigurationError`` where a new column could not be filled in existing rows.
    """
    if _has_nothing_of(metadata, connection):
        return [_as_sql(step, connection) for step in _creation(metadata)]
    from better_auth.adapters.comparison import additions, as_sql  # slow to import, rarely due

    return [as_sql(step, connection) for step in additions(connection, metadata)]


def apply_migration(connection: sa.Connection, metadata: sa.MetaData) -> list[str]:
    """Run what :func:`plan_migration` plans, in the connection's transaction; returns the SQL.

    Raises ``ConfigurationError`` also where rows already there would violate a unique index.
    """
    statements = []
    if _has_nothing_of(metadata, connection):
        for creation in _creation(metadata):
            connection.execute(creation)
            statements.append(_as_sql(creation, connection))
        return statements
    from better_auth.adapters.comparison import additions, as_sql, invoke  # as above

    for step in additions(connection, metadata):
        statement = as_sql(step, connection)
        try:
            invoke(step, connection)
        except sa.exc.IntegrityError:
            raise ConfigurationError(f"rows already there forbid it: {statement}") from None
        statements.append(statement)
    return statements


def _has_nothing_of(metadata: sa.MetaData, connection: sa.Connection) -> bool:
    there = sa.inspect(connection).get_table_names()
    return not any(table.name in there for table in metadata.tables.values())


def _creation(metadata: sa.MetaData) -> list[ExecutableDDLElement]:
    """Every table with its indexes, each after the tables it refers to."""
    steps: list[ExecutableDDLElement] = []
    for table in metadata.sorted_tables:
        steps.append(CreateTable(table))
        steps += map(CreateIndex, sorted(table.indexes, key=lambda index: str(index.name)))
    return steps


def _as_sql(step: ExecutableDDLElement, connection: sa.Connection) -> str:
    return undoubled(str(step.compile(dialect=connection.dialect)).strip(), connection.dialect)
