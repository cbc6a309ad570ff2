"""Conditions and order with the meaning they have in SQL, for records that are not in SQL."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from better_auth.adapters.base import Condition
from better_auth.models import Record

R = TypeVar("R", bound=Record)

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda held, value: held == value,
    "ne": lambda held, value: held != value,
    "lt": lambda held, value: held < value,
    "le": lambda held, value: held <= value,
    "gt": lambda held, value: held > value,
    "ge": lambda held, value: held >= value,
    "in": lambda held, value: held in value,
    "contains": lambda held, value: value.lower() in held.lower(),
    "starts_with": lambda held, value: held.lower().startswith(value.lower()),
    "ends_with": lambda held, value: held.lower().endswith(value.lower()),
}


def meets(record: Record, where: Mapping[str, Any]) -> bool:
    """Whether ``record`` meets keyword conditions. An unknown field is a ``KeyError``."""
    held = record.__dict__
    return all(_is_met(held[name], condition) for name, condition in where.items())


def _is_met(held: Any, condition: Any) -> bool:
    if not isinstance(condition, Condition):
        return bool(held == condition)
    if condition.value is None:
        return (held is None) == (condition.operator == "eq")
    if held is None:  # no comparison with NULL is true
        return False
    return _COMPARISONS[condition.operator](held, condition.value)


def values_of(condition: Any) -> list[Any] | None:
    """The values that alone can meet an equality or ``in_``; None: there may be others."""
    if not isinstance(condition, Condition):
        return [condition]
    if condition.operator == "eq":
        return [condition.value]
    return list(condition.value) if condition.operator == "in" else None


def arranged(
    records: Sequence[R], order_by: str | Sequence[str], limit: int | None, offset: int
) -> list[R]:
    """``records`` in the order of the fields named, ``-`` first for descending, and the part."""
    found = list(records)
    for name in reversed((order_by,) if isinstance(order_by, str) else order_by):
        field = name.removeprefix("-")
        found.sort(key=lambda record: _sortable(record, field), reverse=name != field)
    return found[offset : None if limit is None else offset + limit]


def _sortable(record: Record, field: str) -> tuple[bool, Any]:
    value = record.__dict__[field]
    return value is not None, value
