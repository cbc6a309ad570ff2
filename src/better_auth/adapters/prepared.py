"""Statements written out once, for what is asked over and over past SQLAlchemy's engine.

Building an expression and finding its compiled form costs more than SQLite takes to run it.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa


class Prepared:
    """A statement's text in a driver's dialect, and what its parameters are made of."""

    def __init__(self, statement: sa.Select[Any] | sa.Insert, dialect: sa.Dialect) -> None:
        """``dialect`` takes its parameters by position."""
        compiled: Any = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._parts = [
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup
        ]

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """The values the driver is to be given, from those of the statement's names."""
        return [
            values[name] if process is None else process(values[name])
            for name, process in self._parts
        ]


def insertion(table: sa.Table, dialect: sa.Dialect) -> Prepared:
    """Inserts a row; its values are named by the columns' keys."""
    return Prepared(table.insert(), dialect)


def lookup(table: sa.Table, names: tuple[str, ...], dialect: sa.Dialect) -> Prepared | None:
    """Selects the row whose columns ``names`` (keys) equal the values of those names; None where
    it could be more rows than one."""
    unique = [index.columns for index in table.indexes if index.unique]
    unique += [
        constraint.columns
        for constraint in table.constraints
        if isinstance(constraint, (sa.PrimaryKeyConstraint, sa.UniqueConstraint))
    ]
    if not any({column.key for column in columns}.issubset(names) for columns in unique):
        return None
    wanted = (table.c[name] == sa.bindparam(name, type_=table.c[name].type) for name in names)
    return Prepared(sa.select(table).where(*wanted), dialect)
