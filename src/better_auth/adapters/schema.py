"""From record models to SQLAlchemy tables, so that a record is declared once.

Field types decide the column types; :class:`~better_auth.models.Column` markers add what a type
cannot say. Names are the field's own, in snake_case.
"""

import types
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import sqlalchemy as sa
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sqlalchemy.dialects.mysql import DATETIME, MEDIUMTEXT, VARCHAR
from sqlalchemy.types import TypeDecorator, TypeEngine

from better_auth.clock import render_time, to_milliseconds
from better_auth.errors import ConfigurationError
from better_auth.models import Column, Record


class Instant(TypeDecorator[datetime]):
    """An aware UTC ``datetime`` of milliseconds.

    Text as the wire renders it on SQLite (sortable, and readable to a person),
    ``timestamptz`` on PostgreSQL, ``DATETIME(3)`` on MySQL and MariaDB.
    """

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(24))
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(DATETIME(fsp=3))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return render_time(value)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        """The shortest way from what the driver gives, as the session check goes it for every
        request."""
        if dialect.name == "sqlite":
            return _from_text
        if dialect.name == "postgresql":
            return _from_utc
        return super().result_processor(dialect, coltype)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return to_milliseconds(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _from_utc(value: datetime | None) -> datetime | None:
    """asyncpg's times are UTC; only another program's are finer than milliseconds."""
    return value if value is None or not value.microsecond % 1000 else to_milliseconds(value)


def stored_fields(model: type[Record]) -> Iterator[tuple[str, FieldInfo, Column]]:
    """Each stored field of ``model``: its name, its Pydantic field and its column marker."""
    for name, field in model.model_fields.items():
        column = next((m for m in field.metadata if isinstance(m, Column)), Column())
        if column.stored:
            yield name, field, column


def build_tables(models: Iterable[type[Record]], metadata: sa.MetaData) -> dict[str, sa.Table]:
    """One table a record model, by table name. Raises ``ConfigurationError`` for a field whose
    type has no column."""
    return {model.table_name: _build_table(model, metadata) for model in models}


def _build_table(model: type[Record], metadata: sa.MetaData) -> sa.Table:
    parts: list[sa.schema.SchemaItem] = []
    for name, field, marker in stored_fields(model):
        python_type, nullable = _split_optional(field.annotation)
        column_type = _column_type(model, name, python_type, marker)
        keys = (
            [sa.ForeignKey(f"{marker.references}.id", ondelete="CASCADE")]
            if marker.references
            else []
        )
        parts.append(
            sa.Column(
                name,
                column_type,
                *keys,
                primary_key=name == "id",
                nullable=nullable,
                server_default=None if name == "id" else _server_default(field, column_type),
            )
        )
        if marker.unique or marker.index:
            kind = "uq" if marker.unique else "ix"
            parts.append(sa.Index(f"{kind}_{model.table_name}_{name}", name, unique=marker.unique))
    for together in model.unique_together:
        label = f"uq_{model.table_name}_{'_'.join(together)}"
        parts.append(sa.Index(label, *together, unique=True))
    return sa.Table(model.table_name, metadata, *parts)


def _split_optional(annotation: Any) -> tuple[Any, bool]:
    """The bare type of a field, and whether None is one of its values."""
    nullable = False
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        nullable = len(kinds) < len(get_args(annotation))
        annotation = kinds[0] if len(kinds) == 1 else object
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation, nullable


def _column_type(
    model: type[Record], name: str, python_type: Any, marker: Column
) -> TypeEngine[Any]:
    base = get_origin(python_type) or python_type
    if isinstance(base, type):
        if issubclass(base, (str, Enum)):
            return _text(marker.length)
        if issubclass(base, bool):
            return sa.Boolean()
        if issubclass(base, int):
            return sa.BigInteger()
        if issubclass(base, float):
            return sa.Double()
        if issubclass(base, datetime):
            return Instant()
        if issubclass(base, (dict, list)):
            return sa.JSON()
    if base is Literal:
        return _text(marker.length or 64)
    raise ConfigurationError(
        f"{model.__name__}.{name}: a field of type {python_type!r} has no column type"
    )


def _text(length: int | None) -> TypeEngine[str]:
    """Text that compares byte by byte everywhere; MySQL and MariaDB would ignore case."""
    plain = sa.String(length) if length else sa.Text()
    exact = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
    binary = VARCHAR(length, **exact) if length else MEDIUMTEXT(**exact)
    return plain.with_variant(binary, "mysql", "mariadb")


def is_enum(model: type[Record], name: str) -> bool:
    """Whether the field's values are members of an ``Enum``."""
    python_type, _ = _split_optional(model.model_fields[name].annotation)
    return isinstance(python_type, type) and issubclass(python_type, Enum)


def _server_default(field: FieldInfo, column_type: TypeEngine[Any]) -> Any:
    """A constant default lets the column be added to a table that already holds rows."""
    default = field.default
    if default is PydanticUndefined or default is None:
        return None
    if isinstance(default, bool):
        return sa.true() if default else sa.false()
    if isinstance(default, Enum):
        default = default.value
    return sa.text(str(default)) if isinstance(default, (int, float)) else str(default)
