"""An application's own fields, in the bodies of endpoints."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from better_auth.http.call import Context
from better_auth.models import ReadOnly


def settable_by_users(context: Context) -> dict[str, FieldInfo]:
    """The application's own fields of ``User``, and plugins', that users may set themselves."""
    return {
        name: field
        for name, field in context.own_user_fields.items()
        if not any(isinstance(marker, ReadOnly) for marker in field.metadata)
    }


def with_fields(base: type[BaseModel], fields: Mapping[str, FieldInfo]) -> type[BaseModel]:
    """``base`` with ``fields`` as they are."""
    own: dict[str, Any] = {name: (field.annotation, field) for name, field in fields.items()}
    return create_model(base.__name__, __base__=base, **own) if own else base


def with_optional(base: type[BaseModel], fields: Mapping[str, FieldInfo]) -> type[BaseModel]:
    """``base`` with ``fields``, each of which may be left out."""
    optional: dict[str, FieldInfo] = {}
    for name, field in fields.items():
        optional[name] = copy(field)
        optional[name].default, optional[name].default_factory = None, None
    return with_fields(base, optional)
