"""The verbs as SQL expressions, and those that come again and again written out once."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from better_auth.adapters.prepared import Prepared, Shape, parameter, placeholders

Number = int | sa.BindParameter[int]


def selection(
    table: sa.Table,
    clauses: Sequence[Any],
    order_by: Sequence[str] = (),
    limit: Number | None = None,
    offset: Number | None = None,
) -> sa.Select[Any]:
    """Rows in the order of the fields named, ``-`` first for descending; nothing is less than
    anything, which databases do not agree on by themselves."""
    statement = sa.select(table).where(*clauses)
    for name in order_by:
        column = table.c[name.removeprefix("-")]
        keys = [column.is_not(None), column] if column.nullable else [column]
        statement = statement.order_by(
            *[key.desc() if name.startswith("-") else key for key in keys]
        )
    return statement.limit(limit).offset(offset)


def counting(table: sa.Table, clauses: Sequence[Any]) -> sa.Select[Any]:
    """How many rows there are."""
    return sa.select(sa.func.count()).select_from(table).where(*clauses)


def taking(table: sa.Table, clauses: Sequence[Any], limit: Number | None) -> Any:
    """A deletion that returns the rows."""
    if limit is not None:
        # Locked, so that where another takes the same rows it is the next ones, not none.
        chosen = sa.select(table.c.id).where(*clauses).limit(limit).with_for_update()
        clauses = [table.c.id.in_(chosen)]
    return table.delete().where(*clauses).returning(*table.columns)


def undoubled(sql: str, dialect: sa.Dialect) -> str:
    """``sql`` as a person would run it: some drivers take a percent sign only twice."""
    return sql.replace("%%", "%") if dialect.paramstyle in ("format", "pyformat") else sql


class Statements:
    """One table's, by the shape of their conditions; parameters as ``prepared.py`` names them."""

    def __init__(
        self,
        table: sa.Table,
        where: Callable[[Mapping[str, Any]], Sequence[Any]],
        dialect: sa.Dialect,
    ) -> None:
        """``where`` makes clauses of conditions."""
        self._table = table
        self._where = where
        self._dialect = dialect
        # There are as many as the code asks for, and fields and orders to choose from.
        self.find = cache(self._find)
        self.count = cache(self._count)
        self.update = cache(self._update)
        self.delete = cache(self._delete)
        self.take = cache(self._take)

    def _clauses(self, shape: Shape) -> Sequence[Any]:
        return self._where(placeholders(shape, self._table.c))

    def _find(
        self, shape: Shape, order_by: tuple[str, ...], has_limit: bool, has_offset: bool
    ) -> Prepared:
        limit = _number("limit") if has_limit else None
        offset = _number("offset") if has_offset else None
        chosen = selection(self._table, self._clauses(shape), order_by, limit, offset)
        return Prepared(chosen, self._dialect)

    def _count(self, shape: Shape) -> Prepared:
        return Prepared(counting(self._table, self._clauses(shape)), self._dialect)

    def _update(self, shape: Shape, names: tuple[str, ...]) -> Prepared:
        """Writes ``parameter(name)`` into each of the fields ``names``."""
        columns = self._table.c
        written = {name: sa.bindparam(parameter(name), type_=columns[name].type) for name in names}
        statement = self._table.update().where(*self._clauses(shape)).values(written)
        return Prepared(statement, self._dialect)

    def _delete(self, shape: Shape) -> Prepared:
        return Prepared(self._table.delete().where(*self._clauses(shape)), self._dialect)

    def _take(self, shape: Shape, has_limit: bool) -> Prepared:
        limit = _number("limit") if has_limit else None
        return Prepared(taking(self._table, self._clauses(shape), limit), self._dialect)


def _number(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger())
