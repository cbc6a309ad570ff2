"""Statements written out once, for what is asked over and over past SQLAlchemy's engine.

Building an expression and finding its compiled form costs more than a database takes to run it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from better_auth.adapters.base import Condition, Operator

MANY = 25
"""Values that ``in_`` may have where a statement is kept; there is one for each number.
The purge's batches are of this size."""

_COMPARING: frozenset[Operator] = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})

Shape = tuple[tuple[str, Operator, int], ...]
"""Conditions without what they compare with: fields, operators, how many values."""


class Prepared:
    """A statement's text in a driver's dialect, and what its parameters are made of."""

    def __init__(
        self, statement: sa.Select[Any] | sa.Insert | sa.Update | sa.Delete, dialect: sa.Dialect
    ) -> None:
        """``dialect`` takes its parameters by position."""
        compiled: Any = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._parts = [
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup
        ]
        self._constants = {
            name: compiled.binds[name].value
            for name in compiled.positiontup
            if not compiled.binds[name].required
        }
        """Values that are the statement's own: what a missing one counts as."""

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """The values the driver is to be given, from those of the statement's names."""
        if self._constants:
            values = {**self._constants, **values}
        return [
            values[name] if process is None else process(values[name])
            for name, process in self._parts
        ]


@dataclass(frozen=True, slots=True)
class Plain:
    """Keyword conditions taken apart: a shape, of which there are few, and its parameters."""

    shape: Shape
    values: dict[str, Any]


def plain(where: Mapping[str, Any]) -> Plain | None:
    """``where`` taken apart; None where it has conditions for which no statement is kept."""
    shape: list[tuple[str, Operator, int]] = []
    values: dict[str, Any] = {}
    for name, condition in where.items():
        operator: Operator = "eq"
        value = condition
        if isinstance(condition, Condition):
            operator, value = condition.operator, condition.value
        if operator in _COMPARING:
            compared = () if value is None else (value,)
        elif operator == "in" and 0 < len(value) <= MANY:
            compared = value
        else:
            return None
        shape.append((name, operator, len(compared)))
        for number, one in enumerate(compared):
            values[parameter(name, number)] = one.value if isinstance(one, Enum) else one
    return Plain(tuple(shape), values)


def placeholders(
    shape: Shape, columns: ReadOnlyColumnCollection[str, sa.Column[Any]]
) -> dict[str, Condition]:
    """Conditions of this shape, with parameters in the place of values."""
    found = {}
    for name, operator, count in shape:
        made: list[Any] = [
            sa.bindparam(parameter(name, number), type_=columns[name].type)
            for number in range(count)
        ]
        found[name] = Condition(operator, made if operator == "in" else (made or [None])[0])
    return found


def parameter(name: str, number: int | None = None) -> str:
    """What the parameter is called that is written into a field, or its ``number``-th that the
    field is compared with: not like the column, which SQLAlchemy keeps for itself."""
    return f"new_{name}" if number is None else f"at_{number}_{name}"


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
