"""Records as JSON text, for stores that keep text.

Named fields, so that a text outlives a release that adds or drops some.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Generic, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import PydanticUndefined, from_json, to_json

from better_auth.adapters.schema import stored_fields
from better_auth.models import Record

R = TypeVar("R", bound=Record)

_PLAIN = {str, int, float, bool, datetime, type(None)}


class RecordJson(Generic[R]):
    """How the records of one model become text and text records."""

    def __init__(self, model: type[R]) -> None:
        self.model = model
        stored = {name: field for name, field, _ in stored_fields(model)}
        self._order = list(stored)
        self._names = frozenset(stored)
        self._instants = [
            name for name, field in stored.items() if datetime in _leaves(field.annotation)
        ]
        self._defaults: dict[str, Any] = {
            name: field.get_default(call_default_factory=True)
            for name, field in stored.items()
            if name != "id" and field.get_default() is not PydanticUndefined
        }
        self._unstored = {
            name: field.get_default(call_default_factory=True)
            for name, field in model.model_fields.items()
            if name not in stored
        }
        self._count = len(model.model_fields)
        is_plain = all(_PLAIN.issuperset(_leaves(field.annotation)) for field in stored.values())
        self._make: Callable[[dict[str, Any]], R] = model.trusted if is_plain else self._validated

    def encode(self, record: R) -> bytes:
        """The text of ``record``: what a table would hold of it."""
        held = record.__dict__
        return to_json({name: held[name] for name in self._order}, by_alias=False)

    def decode(self, text: bytes) -> R | None:
        """The record of a text; None for one that lacks what this model cannot do without."""
        try:
            values: dict[str, Any] = from_json(text)
            if values.keys() != self._names:
                kept = {name: value for name, value in values.items() if name in self._names}
                values = {**self._defaults, **kept}
            for name in self._instants:
                value = values[name]
                if value is not None and value.__class__ is str:
                    values[name] = datetime.fromisoformat(value)
            values = {**self._unstored, **values}
            return self._make(values) if len(values) == self._count else None
        except (ValidationError, ValueError, KeyError):
            return None

    def _validated(self, values: dict[str, Any]) -> R:
        return self.model.model_validate(values, by_name=True)


def _leaves(annotation: Any) -> Iterator[Any] | set[Any]:
    """The types an annotation is made of."""
    arguments = [part for part in get_args(annotation) if isinstance(part, type) or get_args(part)]
    if not arguments:
        return {annotation}
    return {leaf for part in arguments for leaf in _leaves(part)}
