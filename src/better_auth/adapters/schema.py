"""From record models to SQLAlchemy tables, so that a record is declared once.

Field types decide the column types; :class:`~better_auth.models.Column` markers add what a type
cannot say. A column's ``key`` is the field's name, whatever it is called in the database.
"""

import hashlib
import json
import types
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import sqlalchemy as sa
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python
from sqlalchemy.dialects.mysql import DATETIME, MEDIUMTEXT, VARCHAR
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine

from better_auth.adapters.layout import Layout
from better_auth.clock import render_time, to_milliseconds
from better_auth.errors import BadRequest, ConfigurationError
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
        """Raises ``BadRequest`` for a naive ``datetime``."""
        if value is None:
            return None
        try:
            value = to_milliseconds(value)
        except ValueError as error:
            raise BadRequest(str(error)) from None
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


class JsonText(TypeDecorator[Any]):
    """JSON in a column of text, as another program made it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        return json.loads(value) if value else None


def is_json(column: sa.Column[Any]) -> bool:
    """Whether a column's values can be changed in place."""
    return isinstance(column.type, (sa.JSON, JsonText))


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


def build_tables(
    models: Sequence[type[Record]], metadata: sa.MetaData, layout: Layout = Layout()
) -> dict[str, sa.Table]:
    """One table a record model, by the model's ``table_name``. Raises ``ConfigurationError`` for
    a field whose type has no column, and for names that are unknown or given twice."""
    names = layout.names
    fields = {model.table_name: [name for name, _, _ in stored_fields(model)] for model in models}
    columns = [f"{record}.{field}" for record, listed in fields.items() for field in listed]
    _refuse_unknown("tables", names.tables, fields)
    _refuse_unknown("columns", names.columns, columns)
    _refuse_twins("table", {record: names.table(record) for record in fields})
    for record, listed in fields.items():
        called = {f"{record}.{field}": names.column(record, field) for field in listed}
        _refuse_twins("column", called)
    return {model.table_name: _build_table(model, metadata, layout) for model in models}


def _refuse_unknown(kind: str, given: Iterable[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise ConfigurationError(f"database_names.{kind}: there is no {name!r}")


def _refuse_twins(kind: str, called: Mapping[str, str]) -> None:
    """Databases differ in whether case tells names apart; ours must be apart without."""
    seen: dict[str, str] = {}
    for one, name in called.items():
        other = seen.setdefault(name.lower(), one)
        if other != one:
            raise ConfigurationError(
                f"database_names: {other} and {one} would both be the {kind} {name!r}"
            )


def _build_table(model: type[Record], metadata: sa.MetaData, layout: Layout) -> sa.Table:
    record, names = model.table_name, layout.names
    parts: list[sa.schema.SchemaItem] = []
    indexes: list[tuple[tuple[str, ...], bool]] = [
        (fields, True) for fields in model.unique_together
    ]
    for name, field, marker in stored_fields(model):
        python_type, nullable = _split_optional(field.annotation)
        column_type = _column_type(model, name, python_type, marker, layout)
        keys = []
        if marker.references:
            target = f"{names.table(marker.references)}.{names.column(marker.references, 'id')}"
            keys.append(sa.ForeignKey(target, ondelete="CASCADE"))
        is_unique = marker.unique and not layout.is_repeated(record, name)
        is_inline = is_unique and layout.is_inline_unique(record, name)
        parts.append(
            sa.Column(
                names.column(record, name),
                column_type,
                *keys,
                key=name,
                primary_key=name == "id",
                nullable=nullable or layout.may_be_missing(record, name),
                unique=is_inline or None,
                server_default=None if name == "id" else _server_default(field, column_type),
            )
        )
        if (marker.unique or marker.index) and not is_inline:
            indexes.append(((name,), is_unique))
    table = sa.Table(names.table(record), metadata, *parts)
    for fields, is_unique in indexes:
        columns = [table.c[field] for field in fields]
        sa.Index(
            _index_name(table, columns, is_unique, layout.is_shared(record)),
            *columns,
            unique=is_unique,
        )
    return table


def _index_name(
    table: sa.Table, columns: Sequence[sa.Column[Any]], is_unique: bool, is_shared: bool
) -> str:
    """Where a table is shared, its indexes are called as the other program calls them."""
    what = "_".join([table.name, *(column.name for column in columns)])
    return shortened(
        f"{what}_idx" if is_shared and not is_unique else f"{'uq' if is_unique else 'ix'}_{what}"
    )


def shortened(name: str) -> str:
    """``name``, or where databases would find it too long, its beginning and a hash of it."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


_LONGEST_NAME = 63
"""PostgreSQL's limit; MySQL's is 64."""


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
    model: type[Record], name: str, python_type: Any, marker: Column, layout: Layout
) -> TypeEngine[Any]:
    base, length = get_origin(python_type) or python_type, marker.length
    is_exact = layout.shared is None
    if base is Literal:
        base, length = _type_of(get_args(python_type)), length or 64
    elif isinstance(base, type) and issubclass(base, Enum):
        base = _type_of(base)
    if isinstance(base, type):
        if issubclass(base, str):
            return _text(length, is_exact)
        if issubclass(base, bool):
            return sa.Boolean()
        if issubclass(base, int):
            return sa.BigInteger()
        if issubclass(base, float):
            return sa.Double()
        if issubclass(base, datetime):
            return Instant()
        if issubclass(base, (dict, list)):
            return JsonText() if layout.is_shared(model.table_name) else sa.JSON(none_as_null=True)
    raise ConfigurationError(
        f"{model.__name__}.{name}: a field of type {python_type!r} has no column type"
    )


def _type_of(choices: Iterable[Any]) -> type:
    """What all values of an ``Enum`` or a ``Literal`` are; ``object``, where they differ."""
    kinds = {type(one.value if isinstance(one, Enum) else one) for one in choices}
    return kinds.pop() if len(kinds) == 1 else object


def _text(length: int | None, is_exact: bool) -> TypeEngine[str]:
    """Text that compares byte by byte everywhere; MySQL and MariaDB would ignore case, and where
    tables are shared they do: what refers to one another must be alike."""
    plain = sa.String(length) if length else sa.Text()
    if not is_exact:
        return plain
    exact = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
    binary = VARCHAR(length, **exact) if length else MEDIUMTEXT(**exact)
    return plain.with_variant(binary, "mysql", "mariadb")


def is_enum(model: type[Record], name: str) -> bool:
    """Whether the field's values are members of an ``Enum``."""
    python_type, _ = _split_optional(model.model_fields[name].annotation)
    return isinstance(python_type, type) and issubclass(python_type, Enum)


def may_be_none(field: FieldInfo) -> bool:
    """Whether None is one of the field's values."""
    return _split_optional(field.annotation)[1]


def is_time(field: FieldInfo) -> bool:
    """Whether the field's values are moments."""
    python_type, _ = _split_optional(field.annotation)
    return isinstance(python_type, type) and issubclass(python_type, datetime)


def _server_default(field: FieldInfo, column_type: TypeEngine[Any]) -> Any:
    """A constant default lets the column be added to a table that already holds rows."""
    default = field.default_factory() if field.default_factory in (list, dict) else field.default
    if default is PydanticUndefined or default is None:
        return None
    if isinstance(column_type, (sa.JSON, JsonText)):
        return _Constant(json.dumps(encode(default)), sa.Text())
    return _Constant(encode(default), column_type)


class _Constant(sa.ColumnElement[Any]):
    """A column's default, written as its type writes it."""

    inherit_cache = False

    def __init__(self, value: Any, column_type: TypeEngine[Any]) -> None:
        self.literal = sa.literal(value, column_type)
        self.is_long = isinstance(column_type, sa.Text)


@compiles(_Constant)
def _write_constant(constant: _Constant, compiler: Any, **options: Any) -> str:
    written: str = compiler.process(constant.literal, **options)
    # MySQL takes an expression as the default of a long text, but no constant.
    is_expression = constant.is_long and compiler.dialect.name in ("mysql", "mariadb")
    return f"({written})" if is_expression else written


def encode(value: Any) -> Any:
    """A field's value as its column takes it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (BaseModel, list, dict)):
        return to_jsonable_python(value, by_alias=False)
    return value
