"""What every application answers: whether it is there, and what it offers."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from better_auth.errors import DatabaseUnavailable
from better_auth.http.call import Call
from better_auth.http.endpoints import get
from better_auth.http.serving import LIVENESS
from better_auth.http.wire import Wire
from better_auth.models import Fields
from better_auth.plugins.base import Plugin

READY_WITHIN = 2.0
"""Seconds the database has to answer, or the application does not count as ready."""


class Okay(Fields):
    """The application is up."""

    ok: bool = True


class Live(Fields):
    """The process answers."""

    status: Literal["live"] = "live"


class Ready(Fields):
    """The process answers, and so does its database."""

    status: Literal["ready"] = "ready"


class CorePlugin(Plugin):
    """``GET /ok``, ``GET /openapi.json`` and two health checks; part of every application."""

    name = "Core"

    def __init__(self, document: Callable[[Wire], dict[str, Any]]) -> None:
        """``document`` makes the OpenAPI document of one look, once all endpoints are known."""
        self._document = document

    @get("/ok")
    async def ok(self, call: Call) -> Okay:
        """Tell that the application is up."""
        return Okay()

    @get(LIVENESS, is_probe=True)
    async def live(self, call: Call) -> Live:
        """Tell that the process answers; touches nothing."""
        return Live()

    @get("/health/ready", is_probe=True)
    async def ready(self, call: Call) -> Ready:
        """Tell whether requests can be served: 503 where the database does not answer in time."""
        try:
            async with asyncio.timeout(READY_WITHIN):
                # The read that every session check makes, for a key nobody has.
                await self.context.database.session_with_user("")
        except TimeoutError:
            raise DatabaseUnavailable from None
        return Ready()

    @get("/openapi.json")
    async def openapi(self, call: Call) -> dict[str, Any]:
        """Describe every endpoint as OpenAPI 3.1."""
        return self._document(call.wire)
