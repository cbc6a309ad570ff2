"""What every application answers: whether it is there, and what it offers."""

from collections.abc import Callable
from typing import Any

from better_auth.http.call import Call
from better_auth.http.endpoints import get
from better_auth.models import Fields
from better_auth.plugins.base import Plugin


class Okay(Fields):
    """The application is up."""

    ok: bool = True


class CorePlugin(Plugin):
    """``GET /ok`` and ``GET /openapi.json``; part of every application."""

    name = "Core"

    def __init__(self, document: Callable[[], dict[str, Any]]) -> None:
        """``document`` makes the OpenAPI document, once all endpoints are known."""
        self._document = document

    @get("/ok")
    async def ok(self, call: Call) -> Okay:
        """Tell that the application is up."""
        return Okay()

    @get("/openapi.json")
    async def openapi(self, call: Call) -> dict[str, Any]:
        """Describe every endpoint as OpenAPI 3.1."""
        return self._document()
