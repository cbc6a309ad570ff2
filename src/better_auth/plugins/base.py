"""What a plugin is: one capability, with its routes, its records and what it listens to."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from better_auth.events import EventBus
from better_auth.http.call import Context
from better_auth.http.endpoints import Endpoint, endpoints_of
from better_auth.models import Fields, Record


class Plugin:
    """The ground of every plugin. All of it is optional:

    - methods marked ``@get`` or ``@post`` are its routes;
    - ``records`` are its own tables, ``user_fields`` and ``session_fields`` what it adds to the
      two records everybody shares (no client may set those, but where a user's field is marked
      ``Settable``);
    - methods marked ``@on(Event)`` listen;
    - ``start`` and ``stop`` run with the application.

    ``self.context`` is the application: its database, sessions, users, config and clock.
    """

    name: ClassVar[str] = ""
    """How the plugin is called in documentation and errors; the class's name if empty."""
    records: ClassVar[Sequence[type[Record]]] = ()
    user_fields: type[Fields] | None = None
    session_fields: ClassVar[type[Fields] | None] = None

    context: Context

    def bind(self, context: Context) -> None:
        """Meet the application; called once, when it is built."""
        self.context = context

    def endpoints(self) -> Iterable[Endpoint]:
        """The routes this plugin brings, as its options have them."""
        return endpoints_of(self, self.title)

    def around(self, endpoint: Endpoint) -> Endpoint:
        """Meet an endpoint, whichever plugin's, before it is served over HTTP.

        To stand around its calls, return ``replace(endpoint, function=...)``.
        """
        return endpoint

    def listen(self, events: EventBus) -> None:
        """Add this plugin's event handlers."""
        for name in dir(type(self)):
            method: Any = getattr(type(self), name)
            for event in getattr(method, "__handles__", ()):
                events.add(event, getattr(self, name))

    async def start(self) -> None:
        """Work to be done when the application starts; the database is ready."""

    async def stop(self) -> None:
        """Work to be done when the application stops."""

    @property
    def title(self) -> str:
        """``name``, or the class's."""
        return self.name or type(self).__name__
