"""Between rows and records: how one becomes the other, and conditions become SQL."""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from pydantic_core import PydanticUndefined

from better_auth.adapters.backend import Row
from better_auth.adapters.base import Condition
from better_auth.adapters.conditions import values_of
from better_auth.adapters.layout import Layout
from better_auth.adapters.prepared import Prepared, insertion, lookup
from better_auth.adapters.schema import (
    encode,
    is_enum,
    is_json,
    is_time,
    may_be_none,
    stored_fields,
)
from better_auth.adapters.session_cache import Kind, Name
from better_auth.adapters.statements import Statements
from better_auth.errors import ConfigurationError
from better_auth.models import Found, Record

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
    "in": lambda column, value: column.in_(_written_out(value, column)),
    "contains": lambda column, value: column.icontains(value, autoescape=True),
    "starts_with": lambda column, value: column.istartswith(value, autoescape=True),
    "ends_with": lambda column, value: column.iendswith(value, autoescape=True),
}


MOST_PARAMETERS = 10_000
"""Databases and drivers take some 32,000 a statement."""


def _written_out(values: list[Any], column: Any) -> Any:
    """``values``, or where they are too many for parameters, a part of the statement's text."""
    if len(values) <= MOST_PARAMETERS:
        return values
    return sa.bindparam(None, values, column.type, expanding=True, literal_execute=True)


class TableOf:
    """One record model and its table: how rows become records and records rows."""

    def __init__(
        self, model: type[Record], table: sa.Table, dialect: sa.Dialect, layout: Layout = Layout()
    ) -> None:
        """Raises ``ConfigurationError`` for a field that rows written by another program lack and
        that has no default."""
        self.model = model
        self.table = table
        self.names = [name for name, _, _ in stored_fields(model)]
        self._unstored = {
            name: field.get_default(call_default_factory=True)
            for name, field in model.model_fields.items()
            if name not in self.names
        }
        self._make = self._validated if self._has_rich_fields() else model.trusted
        self.dialect = dialect
        self._instead = missing_values(model, layout)
        self.statements = Statements(table, self.where, dialect)
        self._lookups: dict[tuple[str, ...], Prepared | None] = {}
        self.read = self.raw_reader(0)
        """A row as the driver gives it, of this table's columns, as a record."""

    def _has_rich_fields(self) -> bool:
        """Whether some field is more than the database gives back: an enum, a nested model."""
        return any(
            is_json(column) or is_enum(self.model, column.key) for column in self.table.columns
        )

    def _validated(self, values: dict[str, Any]) -> Record:
        return self.model.model_validate(values, by_name=True)

    def record(self, row: Row) -> Any:
        """The record of a row as SQLAlchemy gives it: this table's columns in order."""
        values = {**self._unstored, **dict(zip(self.names, row, strict=True))}
        for name, instead in self._instead.items():
            if values[name] is None:
                values[name] = values["created_at"] if instead is CREATED_AT else instead
        return self._make(values)

    @property
    def is_immutable(self) -> bool:
        """Whether records hold nothing that could be changed in place."""
        return not any(map(is_json, self.table.columns))

    def raw_reader(self, start: int) -> Callable[[Row], Any]:
        """A function from a row as the driver gives it, in which this table's columns begin at
        ``start``, to the record.

        Written out and compiled once, as ``dataclasses`` does with ``__init__``: this runs for
        every request, and a loop over the columns would take twice the time.
        """
        names: dict[str, Any] = {"make": self._make}
        items = [f"{name!r}: unstored[{name!r}]" for name in self._unstored]
        names["unstored"] = self._unstored
        names["instead"] = self._instead
        values: dict[str, str] = {}
        for index, name in enumerate(self.names):
            column_type = self.table.c[name].type.dialect_impl(self.dialect)
            # PostgreSQL's would have to know which type of number; what it gives is a float.
            is_float = isinstance(column_type, sa.Float)
            process = None if is_float else column_type.result_processor(self.dialect, None)
            names[f"process_{index}"] = process
            value = f"row[{start + index}]"
            values[name] = f"process_{index}({value})" if process else value
        for name, instead in self._instead.items():
            other = values["created_at"] if instead is CREATED_AT else f"instead[{name!r}]"
            values[name] = f"({other} if (value := {values[name]}) is None else value)"
        items += [f"{name!r}: {value}" for name, value in values.items()]
        reader: Callable[[Row], Any] = eval(  # noqa: S307  (our own field names)
            f"lambda row: make({{{', '.join(items)}}})", names
        )
        return reader

    @cached_property
    def insertion(self) -> Prepared:
        """Inserts a :meth:`row`."""
        return insertion(self.table, self.dialect)

    def lookup(self, conditions: Mapping[str, Any]) -> Prepared | None:
        """Selects by plain values of these fields; None for other conditions, for fields that a
        row may lack, and where more rows than one could meet them."""
        names = tuple(conditions)
        if not self._instead.keys().isdisjoint(names):
            return None
        if any(
            value is None or isinstance(value, (Condition, Enum)) for value in conditions.values()
        ):
            return None
        if names not in self._lookups:
            self._lookups[names] = lookup(self.table, names, self.dialect)
        return self._lookups[names]

    def row(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Column values for an insert or update; what is not stored is left out."""
        return {name: encode(values[name]) for name in self.names if name in values}

    def where(self, conditions: Mapping[str, Any]) -> list[Any]:
        """SQL expressions for keyword conditions. An unknown field is a ``KeyError``."""
        clauses = []
        for name, value in conditions.items():
            column = self._comparable(name)
            if isinstance(value, Condition):
                many = value.operator == "in"
                compared = list(map(encode, value.value)) if many else encode(value.value)
                clauses.append(_COMPARISONS[value.operator](column, compared))
            else:
                clauses.append(column == encode(value))
        return clauses

    def _comparable(self, name: str) -> Any:
        """What a field's column holds, or stands for where it holds nothing."""
        column = self.table.c[name]
        if name not in self._instead:
            return column
        instead = self._instead[name]
        other = self.table.c.created_at if instead is CREATED_AT else encode(instead)
        return sa.func.coalesce(column, other, type_=column.type)


def pair_reader(sessions: TableOf, users: TableOf) -> Callable[[Row], Found]:
    """A function from a row of both tables' columns, as the driver gives it, to what it is."""
    session, user = sessions.read, users.raw_reader(len(sessions.names))
    return lambda row: Found(session(row), user(row))


CREATED_AT = object()
"""Stands for what a missing time means: that of the row's beginning."""


def missing_values(model: type[Record], layout: Layout) -> dict[str, Any]:
    """What stands for each field that rows of another program may lack, though it is required.

    Raises ``ConfigurationError`` for a field of which nothing can be said.
    """
    found: dict[str, Any] = {}
    for name, field, _ in stored_fields(model):
        if not layout.may_be_missing(model.table_name, name) or may_be_none(field):
            continue
        value = layout.instead(model.table_name, name)
        if value is None:
            value = field.get_default(call_default_factory=True)
        if value is PydanticUndefined:
            if not is_time(field):
                raise ConfigurationError(
                    f"{model.__name__}.{name}: rows written by the other server have no value; "
                    "give the field a default"
                )
            value = CREATED_AT
        found[name] = value
    return found


def names_in(where: Mapping[str, Any], kind: Kind) -> list[Name] | None:
    """The rows, of sessions or of users, that ``where`` can have met; None: any."""
    ids, keys, owners = (
        values_of(where[name]) if name in where else None for name in ("id", "token_key", "user_id")
    )
    if kind == "user":
        return None if ids is None else [("user", one) for one in ids]
    listings: list[Name] = [("listing", one) for one in owners or ()]
    if ids is not None:
        return [*(("session", one) for one in ids), *listings]
    if owners is None:
        return None
    return (
        [("user", one) for one in owners]
        if keys is None
        else [*(("key", one) for one in keys), *listings]
    )
