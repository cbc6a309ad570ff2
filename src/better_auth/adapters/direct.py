"""The verbs straight on the driver, where a backend has a way (``Direct``) and the conditions are
of the kind that comes again and again; everything else goes through SQLAlchemy.
"""

from typing import Any

from better_auth.adapters.backend import Direct, Row
from better_auth.adapters.prepared import Plain, parameter, plain
from better_auth.adapters.rows import TableOf
from better_auth.adapters.verbs import Order, SqlVerbs, Values, Where


class DirectVerbs(SqlVerbs):
    """The verbs, each by itself."""

    _direct: Direct | None = None

    async def _insert(self, table: TableOf, values: Values) -> None:
        if self._direct is None:
            return await super()._insert(table, values)
        await self._direct.write(table.insertion.sql, table.insertion.parameters(values))

    async def _find(
        self, table: TableOf, where: Where, order: Order, limit: int | None, offset: int | None
    ) -> list[Any]:
        conditions = plain(where)
        if self._direct is None or conditions is None:
            return await super()._find(table, where, order, limit, offset)
        rows = await self._rows(self._direct, table, conditions, order, limit, offset)
        return [table.read(row) for row in rows]

    async def _rows(
        self,
        direct: Direct,
        table: TableOf,
        conditions: Plain,
        order: Order,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[Row]:
        statement = table.statements.find(
            conditions.shape, order, limit is not None, offset is not None
        )
        values = {**conditions.values, "limit": limit, "offset": offset}
        return await direct.read(statement.sql, statement.parameters(values))

    async def _count(self, table: TableOf, where: Where) -> int:
        conditions = plain(where)
        if self._direct is None or conditions is None:
            return await super()._count(table, where)
        statement = table.statements.count(conditions.shape)
        rows = await self._direct.read(statement.sql, statement.parameters(conditions.values))
        return int(rows[0][0])

    async def _update(self, table: TableOf, values: Values, where: Where) -> int:
        conditions = plain(where)
        if self._direct is None or conditions is None:
            return await super()._update(table, values, where)
        statement = table.statements.update(conditions.shape, tuple(values))
        written = {parameter(name): value for name, value in values.items()}
        return await self._direct.write(
            statement.sql, statement.parameters(written | conditions.values)
        )

    async def _delete(self, table: TableOf, where: Where) -> int:
        conditions = plain(where)
        if self._direct is None or conditions is None:
            return await super()._delete(table, where)
        statement = table.statements.delete(conditions.shape)
        return await self._direct.write(statement.sql, statement.parameters(conditions.values))

    async def _take(self, table: TableOf, where: Where, limit: int | None) -> list[Any]:
        conditions = plain(where)
        if self._direct is None or conditions is None:
            return await super()._take(table, where, limit)
        statement = table.statements.take(conditions.shape, limit is not None)
        values = {**conditions.values, "limit": limit}
        rows = await self._direct.take(statement.sql, statement.parameters(values))
        return [table.read(row) for row in rows]
