"""``BetterAuth``: config, database and plugins put together into one application."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import MetaData

from better_auth.adapters import DatabaseAdapter
from better_auth.adapters.layout import layout_for
from better_auth.assembly import (
    extended,
    make_database,
    make_mailer,
    make_wire,
    own_version,
    settable_fields,
)
from better_auth.clock import Clock, utc_now
from better_auth.config import AuthConfig, WireName, mount_path
from better_auth.crypto import Keyring, PasswordHasher
from better_auth.errors import ConfigurationError, DatabaseUnavailable
from better_auth.events import Event, EventBus
from better_auth.http.addresses import ClientAddress
from better_auth.http.app import AuthApp
from better_auth.http.asgi import AsgiApp, AsgiHandler, Receive, Scope, Send, request_from
from better_auth.http.call import Call, Context, VisitCall
from better_auth.http.endpoints import Endpoint
from better_auth.http.guards import RateLimiter, check_socket
from better_auth.http.messages import AuthRequest, Header, Headers
from better_auth.http.openapi import build_document
from better_auth.http.origins import TrustedOrigins
from better_auth.http.serving import Served, with_cors
from better_auth.http.wire import Wire
from better_auth.mail import Mailer, MailProvider
from better_auth.models import (
    Account,
    Principal,
    Record,
    Session,
    User,
    UserT,
    Verification,
)
from better_auth.plugins.base import Plugin
from better_auth.plugins.core import CorePlugin
from better_auth.plugins.shared_database import SharedDatabasePlugin
from better_auth.proofs import Proofs
from better_auth.sessions import SessionManager, TokenVault
from better_auth.users import UserManager

logger = logging.getLogger("better_auth")

P = TypeVar("P", bound=Plugin)
E = TypeVar("E", bound=Event)
H = TypeVar("H", bound=Callable[..., Any])


class BetterAuth(Generic[UserT]):
    """Authentication for one application; itself an ASGI app.

    >>> auth = BetterAuth(
    ...     AuthConfig("a secret of at least 32 characters"),
    ...     database="sqlite:///app.db",
    ...     plugins=[EmailPasswordPlugin(), SessionManagementPlugin()],
    ... )

    ``database`` is an adapter or a URL (``config.database_url`` if left out). ``user_model`` is
    your own subclass of ``User``: its fields become columns, part of sign-up (unless marked
    ``ReadOnly``) and of every answer (unless ``Field(exclude=True)``). ``mail`` is what
    sends it (``config.mail`` if left out). ``clock`` is for tests.
    ``config`` is copied: what is changed in it later has no effect.

    Raises ``ConfigurationError``, naming what is missing, unsafe or contradictory.
    """

    def __init__(
        self,
        config: AuthConfig,
        *,
        database: DatabaseAdapter | str | None = None,
        plugins: Sequence[Plugin] = (),
        user_model: type[UserT] = User,  # type: ignore[assignment]
        mail: Mailer | MailProvider | None = None,
        clock: Clock = utc_now,
    ) -> None:
        config = config.model_copy(deep=True)
        config.check()
        self.config = config
        self.plugins: list[Plugin] = [CorePlugin(self._document), *plugins]
        is_shared = config.share_database_with_typescript
        if is_shared:
            self.plugins.insert(1, SharedDatabasePlugin(plugins))
        self._refuse_twins()
        self.events = EventBus()
        self.database = make_database(database or config.database_url, config, clock)
        self._records = self._extended_records(user_model)
        layout = layout_for(config.database_names, with_typescript=is_shared)
        self.database.bind(list(self._records.values()), layout)
        self._own_user_fields = {
            name: field
            for name, field in user_model.model_fields.items()
            if name not in User.model_fields
        } | settable_fields(self.plugins)
        self.context = self._build_context(clock, make_mailer(mail, config))
        for plugin in self.plugins:
            plugin.bind(self.context)
            plugin.listen(self.events)
        self._wires: dict[WireName, Wire] = {config.wire: self.context.wire}
        self._limiter = (
            RateLimiter(config.rate_limit, self.context.addresses)
            if config.rate_limit.enabled
            else None
        )
        app = AuthApp(self.context, self._endpoints(), self.context.wire, self._limiter)
        self._apps = {config.base_path: app}
        beside = config.javascript_path and self._handler("javascript", config.javascript_path)
        handler = AsgiHandler(app, config.base_path, config.max_body_size, beside or None)
        self._asgi = with_cors(handler, config)
        self._served = Served(self, self._asgi)
        self._started = False
        self._starting = asyncio.Lock()
        self._purging: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def sessions(self) -> SessionManager:
        """The session manager: create, resolve, list and revoke without HTTP."""
        return self.context.sessions

    @property
    def mail(self) -> Mailer:
        """The mailer: send letters of your own, or wait for those under way."""
        return self.context.mail

    @property
    def users(self) -> UserManager:
        """The users: create, find, change and delete without HTTP."""
        return self.context.users

    @property
    def metadata(self) -> MetaData:
        """The tables, for an Alembic of the application's own (``target_metadata``)."""
        return self.database.metadata

    def plugin(self, kind: type[P]) -> P:
        """The plugin of this class, whose endpoints are methods to call in process.

        >>> await auth.plugin(SessionManagementPlugin).list_sessions(auth.call(token=token))

        Raises ``ConfigurationError`` if the application has none.
        """
        for plugin in self.plugins:
            if isinstance(plugin, kind):
                return plugin
        raise ConfigurationError(f"this application has no {kind.__name__}")

    def on(self, event: type[E]) -> Callable[[H], H]:
        """Call the decorated function for every ``event``; see ``better_auth.events``."""

        def add(handler: H) -> H:
            self.events.add(event, handler)
            return handler

        return add

    def call(
        self,
        *,
        token: str | None = None,
        ip_address: str | None = None,
        user_agent: str | None = None,
    ) -> Call:
        """A call in process: who is asking, for an endpoint's method to be given."""
        headers: list[Header] = []
        if token is not None:
            headers.append((b"authorization", b"Bearer " + token.encode()))
        if user_agent is not None:
            headers.append((b"user-agent", user_agent.encode("latin-1", "replace")))
        peer = (ip_address, 1) if ip_address is not None else None
        return Call(self.context, AuthRequest(headers=headers, peer=peer), self.context.wire)

    def at_hand(self, scope: Scope) -> Principal | None:
        """Who makes a request to another ASGI application, where that is known without waiting.

        None says nothing, and always so of a WebSocket, whose origin must be looked at: ask a call
        made by :meth:`call_from`.
        """
        if scope["type"] != "http":
            return None
        request = Headers(scope["headers"])
        for wire in self._wires.values():
            credential = wire.credential(request)
            if credential is not None:  # the first one counts, and those after it only without it
                return self.sessions.at_hand(credential.token)
        return None

    def call_from(self, scope: Scope) -> Call:
        """A call with the headers of a request (or WebSocket) of another ASGI application.

        ``await call.principal()`` then says who is there, by the cookie of whichever wire is
        served; ``call.cookies`` must reach the client. Raises ``Forbidden`` for a WebSocket that
        another site's page opens with a user's cookies.
        """
        request = request_from(scope)
        if scope["type"] == "websocket" and not self.config.disable_csrf_check:
            check_socket(request, self.context.origins)
        if len(self._wires) == 1:
            return Call(self.context, request, self.context.wire)
        return VisitCall(self.context, request, list(self._wires.values()))

    def app(self, *, wire: WireName, base_path: str) -> AsgiApp:
        """The same application at another path, in another look: an ASGI app to mount there.

        >>> app.mount("/api/auth", auth.app(wire="javascript", base_path="/api/auth"))

        Sessions, users and rate limits are those of this application; from then on its
        ``CurrentSession`` knows the cookie of ``wire`` too. Raises ``ConfigurationError`` for a
        path that is none.
        """
        try:
            path = mount_path(base_path)
        except ValueError as error:
            raise ConfigurationError(f"base_path {error}") from None
        return Served(self, with_cors(self._handler(wire, path), self.config))

    def _handler(self, name: WireName, base_path: str) -> AsgiHandler:
        wire = self._wires.get(name) or make_wire(
            name, self.config, self.context.clock, self.context.keyring
        )
        if any(
            other is not wire and other.session_cookie_name == wire.session_cookie_name
            for other in self._wires.values()
        ):
            raise ConfigurationError(
                f"session.cookie_name: {wire.session_cookie_name} is the {name} wire's cookie"
            )
        self._wires[name] = wire
        app = self._apps[base_path] = AuthApp(self.context, self._endpoints(), wire, self._limiter)
        return AsgiHandler(app, base_path, self.config.max_body_size)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document of all endpoints."""
        return self._document(self.context.wire)

    def _document(self, wire: Wire) -> dict[str, Any]:
        app, base_path = next((app, path) for path, app in self._apps.items() if app.wire is wire)
        return build_document(
            app.table.endpoints,
            {"User": self._records["user"], "Session": self._records["session"]},
            server=(self.config.base_url or "") + base_path or "/",
            cookie_name=wire.session_cookie_name,
            version=own_version(),
        )

    async def start(self) -> None:
        """Open the database, bring its tables up to date, start plugins and the purge.

        Safe to call twice. Raises ``ConfigurationError`` where the tables are behind and
        ``migrate_at_start`` is off.
        """
        async with self._starting:
            if self._started:
                return
            await self.open_database()
            self.database.on_change = self.sessions.revocations.nudge
            for plugin in self.plugins:
                await plugin.start()
            if self.config.session.purge_interval is not None:
                self._stopping = asyncio.Event()
                self._purging = asyncio.create_task(self._purge_until_stopped())
            self._started = True

    async def open_database(self) -> None:
        """Open the database alone, its tables up to date; ``database.close()`` closes it.

        Raises ``ConfigurationError`` where the tables are behind and ``migrate_at_start`` is off.
        """
        if self.config.migrate_at_start:
            await self.database.migrate()
        elif await self.database.pending_migration():
            raise ConfigurationError(
                "the database's tables are behind: `better-auth migrate` (--app module:auth for an "
                "application of your own) brings them up to date, --sql prints what is missing"
            )
        await self.database.connect()

    async def stop(self) -> None:
        """Stop what :meth:`start` started."""
        async with self._starting:
            if not self._started:
                return
            self._started = False
            if self._purging is not None:
                self._stopping.set()
                await self._purging
                self._purging = None
            await self.sessions.revocations.stop()
            for plugin in reversed(self.plugins):
                await plugin.stop()
            await self.context.mail.close()
            self.context.passwords.close()
            if self._limiter is not None:
                await self._limiter.close()
            await self.database.close()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """:meth:`start` and :meth:`stop` around a block; fits a framework's ``lifespan``."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    @property
    def is_ready(self) -> bool:
        """Whether :meth:`start` has been done."""
        return self._started

    async def ready(self) -> None:
        """:meth:`start`, where nobody has; costs nothing once started."""
        if not self._started:
            await self.start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._started and scope["type"] == "http":
            await self._asgi(scope, receive, send)
        else:
            await self._served(scope, receive, send)

    async def _purge_until_stopped(self) -> None:
        interval = self.config.session.purge_interval
        assert interval is not None
        while not self._stopping.is_set():
            try:
                async for _ in self.sessions.purge():
                    if self._stopping.is_set():
                        return
            except DatabaseUnavailable:  # which has said why
                logger.error("purging expired sessions failed; trying again later")
            except Exception:
                logger.exception("purging expired sessions failed; trying again later")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), interval.total_seconds())

    def _refuse_twins(self) -> None:
        for plugin in self.plugins:
            if isinstance(plugin, type):
                raise ConfigurationError(f"plugins: {plugin.__name__} is a class, not a plugin yet")
        kinds = [type(plugin) for plugin in self.plugins]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise ConfigurationError(f"plugins: {kind.__name__} is listed twice")

    def _endpoints(self) -> list[Endpoint]:
        """Every plugin's endpoints, with what plugins put around them, the first outermost."""
        endpoints = [endpoint for plugin in self.plugins for endpoint in plugin.endpoints()]
        for plugin in reversed(self.plugins):
            endpoints = [plugin.around(endpoint) for endpoint in endpoints]
        return endpoints

    def _extended_records(self, user_model: type[User]) -> dict[str, type[Record]]:
        """Every record by its table: the library's, with plugins' fields joined, and plugins'."""
        records: dict[str, type[Record]] = {
            "user": extended(user_model, [plugin.user_fields for plugin in self.plugins]),
            "session": extended(Session, [plugin.session_fields for plugin in self.plugins]),
            "account": Account,
            "verification": Verification,
        }
        for plugin in self.plugins:
            for record in plugin.records:
                if record.table_name in records:
                    raise ConfigurationError(
                        f"{plugin.title}: the table {record.table_name!r} is taken"
                    )
                records[record.table_name] = record
        return records

    def _build_context(self, clock: Clock, mail: Mailer) -> Context:
        config = self.config
        keyring = Keyring(config.secret_values())
        sessions = SessionManager(
            self.database,
            TokenVault(keyring, config.session),
            config.session,
            self.events,
            clock,
            cast(type[Session], self._records["session"]),
            [record for record in self._records.values() if "expires_at" in record.model_fields],
        )
        user_model = cast(type[User], self._records["user"])
        passwords = PasswordHasher(
            memory_cost=config.password.memory_cost,
            time_cost=config.password.time_cost,
            parallelism=config.password.parallelism,
            scheme="scrypt" if config.share_database_with_typescript else "argon2",
        )
        return Context(
            config=config,
            clock=clock,
            database=self.database,
            keyring=keyring,
            passwords=passwords,
            events=self.events,
            sessions=sessions,
            users=UserManager(self.database, sessions, self.events, clock, passwords, user_model),
            origins=TrustedOrigins(
                config.base_url,
                config.trusted_origins,
                is_development=config.mode == "development",
            ),
            addresses=ClientAddress(config.proxy_networks()),
            wire=make_wire(config.wire, config, clock, keyring),
            mail=mail,
            proofs=Proofs(self.database, keyring, clock),
            own_user_fields=self._own_user_fields,
        )
