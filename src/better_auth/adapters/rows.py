"""Between rows and records: how one becomes the other, and conditions become SQL."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel

from better_auth.adapters.backend import Row
from better_auth.adapters.base import Condition
from better_auth.adapters.schema import is_enum, stored_fields
from better_auth.models import Record

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
    "in": lambda column, value: column.in_(value),
    "contains": lambda column, value: column.icontains(value, autoescape=True),
    "starts_with": lambda column, value: column.istartswith(value, autoescape=True),
    "ends_with": lambda column, value: column.iendswith(value, autoescape=True),
}


class TableOf:
    """One record model and its table: how rows become records and records rows."""

    def __init__(self, model: type[Record], table: sa.Table, dialect: sa.Dialect) -> None:
        self.model = model
        self.table = table
        self.names = [name for name, _, _ in stored_fields(model)]
        self._unstored = {
            name: field.get_default(call_default_factory=True)
            for name, field in model.model_fields.items()
            if name not in self.names
        }
        self._make = self._validated if self._has_rich_fields() else model.trusted
        self._dialect = dialect

    def _has_rich_fields(self) -> bool:
        """Whether some field is more than the database gives back: an enum, a nested model."""
        return any(
            isinstance(column.type, sa.JSON) or is_enum(self.model, column.name)
            for column in self.table.columns
        )

    def _validated(self, values: dict[str, Any]) -> Record:
        return self.model.model_validate(values, by_name=True)

    def record(self, row: Row) -> Any:
        """The record of a row as SQLAlchemy gives it: this table's columns in order."""
        return self._make({**self._unstored, **dict(zip(self.names, row, strict=True))})

    @property
    def is_immutable(self) -> bool:
        """Whether records hold nothing that could be changed in place."""
        return not any(isinstance(column.type, sa.JSON) for column in self.table.columns)

    def raw_reader(self, start: int) -> Callable[[Row], Any]:
        """A function from a row as the driver gives it, in which this table's columns begin at
        ``start``, to the record.

        Written out and compiled once, as ``dataclasses`` does with ``__init__``: this runs for
        every request, and a loop over the columns would take twice the time.
        """
        names: dict[str, Any] = {"make": self._make}
        items = [f"{name!r}: unstored[{name!r}]" for name in self._unstored]
        names["unstored"] = self._unstored
        for index, name in enumerate(self.names):
            column_type = self.table.c[name].type.dialect_impl(self._dialect)
            process = column_type.result_processor(self._dialect, None)
            names[f"process_{index}"] = process
            value = f"row[{start + index}]"
            items.append(f"{name!r}: " + (f"process_{index}({value})" if process else value))
        reader: Callable[[Row], Any] = eval(  # noqa: S307  (our own field names)
            f"lambda row: make({{{', '.join(items)}}})", names
        )
        return reader

    def row(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Column values for an insert or update; what is not stored is left out."""
        return {name: _encode(values[name]) for name in self.names if name in values}

    def where(self, conditions: Mapping[str, Any]) -> list[Any]:
        """SQL expressions for keyword conditions. An unknown field is a ``KeyError``."""
        clauses = []
        for name, value in conditions.items():
            column = self.table.c[name]
            if isinstance(value, Condition):
                clauses.append(_COMPARISONS[value.operator](column, _encode(value.value)))
            else:
                clauses.append(column == _encode(value))
        return clauses


def _encode(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [_encode(item) for item in value]
    return value
