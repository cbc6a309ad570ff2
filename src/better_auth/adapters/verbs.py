"""The database verbs as SQL, by SQLAlchemy Core, on whatever connections they are given."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from better_auth.adapters.backend import Backend
from better_auth.adapters.base import Verbs, in_
from better_auth.adapters.failures import again_after_deadlock, translated_errors
from better_auth.adapters.rows import TableOf
from better_auth.adapters.statements import counting, selection, taking
from better_auth.models import Record

R = TypeVar("R", bound=Record)
Where = Mapping[str, Any]
Values = Mapping[str, Any]
Order = tuple[str, ...]


class SqlVerbs(Verbs):
    """The verbs, on whatever connections the three methods below give."""

    tables: dict[str, TableOf]
    is_alone = True
    """Whether each verb is committed by itself."""
    _backend: Backend

    @abstractmethod
    def written(self, table: TableOf, where: Mapping[str, Any]) -> None:
        """Called when rows that met ``where``, or meet it now, were or may have been inserted,
        changed or deleted."""

    @abstractmethod
    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For one query."""

    @abstractmethod
    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For one statement, committed by itself."""

    @abstractmethod
    def changing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For several statements, committed together at the end."""

    @again_after_deadlock
    async def insert(self, record: R) -> R:
        table = self.tables[record.table_name]
        try:
            async with translated_errors(self._backend):
                await self._insert(table, table.row(record.__dict__))
        finally:
            self.written(table, record.__dict__)
        return record

    async def find_one(self, model: type[R], **where: Any) -> R | None:
        rows = await self.find(model, limit=1, **where)
        return rows[0] if rows else None

    async def find(
        self,
        model: type[R],
        *,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
        offset: int = 0,
        **where: Any,
    ) -> list[R]:
        order = (order_by,) if isinstance(order_by, str) else tuple(order_by)
        async with translated_errors(self._backend):
            return await self._find(
                self.tables[model.table_name], where, order, limit, offset or None
            )

    async def count(self, model: type[Record], **where: Any) -> int:
        async with translated_errors(self._backend):
            return await self._count(self.tables[model.table_name], where)

    @again_after_deadlock
    async def update(self, model: type[Record], values: Mapping[str, Any], /, **where: Any) -> int:
        table = self.tables[model.table_name]
        try:
            async with translated_errors(self._backend):
                return await self._update(table, table.row(values), where)
        finally:
            self.written(table, where)

    @again_after_deadlock
    async def delete(self, model: type[Record], **where: Any) -> int:
        table = self.tables[model.table_name]
        try:
            async with translated_errors(self._backend):
                return await self._delete(table, where)
        finally:
            self.written(table, where)

    @again_after_deadlock
    async def take(self, model: type[R], *, limit: int | None = None, **where: Any) -> list[R]:
        table = self.tables[model.table_name]
        taken: list[Any] | None = None
        try:
            async with translated_errors(self._backend):
                if self._backend.returns_deleted:
                    taken = await self._take(table, where, limit)
                else:
                    taken = await self._take_locked(table, where, limit)
            return taken
        finally:
            if taken is None:
                self.written(table, where)
            elif taken:
                self.written(table, {"id": in_([record.id for record in taken])})

    async def _insert(self, table: TableOf, values: Values) -> None:
        await self._execute(table.table.insert().values(values))

    async def _find(
        self, table: TableOf, where: Where, order: Order, limit: int | None, offset: int | None
    ) -> list[Any]:
        statement = selection(table.table, table.where(where), order, limit, offset)
        async with self.reading() as connection:
            return [table.record(row) for row in await connection.execute(statement)]

    async def _count(self, table: TableOf, where: Where) -> int:
        statement = counting(table.table, table.where(where))
        async with self.reading() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def _update(self, table: TableOf, values: Values, where: Where) -> int:
        statement = table.table.update().where(*table.where(where)).values(values)
        return await self._execute(statement)

    async def _delete(self, table: TableOf, where: Where) -> int:
        return await self._execute(table.table.delete().where(*table.where(where)))

    async def _execute(self, statement: sa.Insert | sa.Update | sa.Delete) -> int:
        async with self.writing() as connection:
            return int((await connection.execute(statement)).rowcount)

    async def _take(self, table: TableOf, where: Where, limit: int | None) -> list[Any]:
        statement = taking(table.table, table.where(where), limit)
        async with self.writing() as connection:
            return [table.record(row) for row in await connection.execute(statement)]

    async def _take_locked(self, table: TableOf, where: Where, limit: int | None) -> list[Any]:
        """The same where a deletion returns no rows: whoever locks them first takes them."""
        chosen = sa.select(table.table).where(*table.where(where)).limit(limit).with_for_update()
        async with self.changing() as connection:
            records = [table.record(row) for row in await connection.execute(chosen)]
            ids = [record.id for record in records]
            if ids:
                await connection.execute(table.table.delete().where(table.table.c.id.in_(ids)))
            return records

    async def lock(self, model: type[Record], record_id: str) -> bool:
        column = self.tables[model.table_name].table.c.id
        statement = sa.select(column).where(column == record_id).with_for_update()
        async with translated_errors(self._backend), self.writing() as connection:
            return (await connection.execute(statement)).first() is not None


class TransactionVerbs(SqlVerbs):
    """The verbs on one connection inside one transaction."""

    is_alone = False

    def __init__(
        self, backend: Backend, tables: dict[str, TableOf], connection: AsyncConnection
    ) -> None:
        self._backend = backend
        self.tables = tables
        self._connection = connection
        self.log: list[tuple[TableOf, Mapping[str, Any]]] = []
        """What was written, to be told when the transaction is over."""

    def written(self, table: TableOf, where: Mapping[str, Any]) -> None:
        self.log.append((table, where))

    @asynccontextmanager
    async def _same_connection(self) -> AsyncIterator[AsyncConnection]:
        yield self._connection

    reading = writing = changing = _same_connection
