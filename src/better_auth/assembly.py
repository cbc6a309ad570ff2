"""The parts of an application, as its configuration and plugins want them."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import create_model
from pydantic.fields import FieldInfo

from better_auth.adapters import DatabaseAdapter, SessionCache, SqlDatabaseAdapter
from better_auth.clock import Clock
from better_auth.config import AuthConfig, WireName
from better_auth.crypto import CookieSigner, Keyring
from better_auth.errors import ConfigurationError
from better_auth.http.wire import NativeWire, Wire
from better_auth.http.wire.javascript import JavascriptWire
from better_auth.mail import Mailer, MailProvider, provider_from_url
from better_auth.models import Fields, Record, Settable
from better_auth.plugins.base import Plugin


def make_wire(name: WireName, config: AuthConfig, clock: Clock, keyring: Keyring) -> Wire:
    """The look called ``name``."""
    if name == "javascript":
        return JavascriptWire(config.session, clock, keyring, CookieSigner(config.secret_values()))
    return NativeWire(config.session, clock)


def settable_fields(plugins: Sequence[Plugin]) -> dict[str, FieldInfo]:
    """The fields that plugins add to users and let them set."""
    return {
        name: field
        for plugin in plugins
        if plugin.user_fields is not None
        for name, field in plugin.user_fields.model_fields.items()
        if any(isinstance(marker, Settable) for marker in field.metadata)
    }


def make_database(
    database: DatabaseAdapter | str | None, config: AuthConfig, clock: Clock
) -> DatabaseAdapter:
    """``database``, an adapter or a URL, with sessions kept as ``config.session`` says."""
    if database is None:
        raise ConfigurationError(
            "database is missing: an adapter, or a URL such as sqlite:///app.db"
        )
    if isinstance(database, str):
        database = SqlDatabaseAdapter(
            database,
            pool_size=config.database_pool_size,
            patience=config.database_patience.total_seconds(),
        )
    if config.session.store.url is not None:
        database = _with_store(database, config.session.store.url, config, clock)
    cache = config.session.cache
    if cache.enabled:
        database.enable_cache(
            SessionCache(
                max_entries=cache.max_entries,
                max_bytes=cache.max_bytes,
                max_staleness=cache.max_staleness.total_seconds(),
            ),
            cache.listen_url,
        )
    return database


def _with_store(
    database: DatabaseAdapter, url: str, config: AuthConfig, clock: Clock
) -> DatabaseAdapter:
    """``database`` with its sessions in the store at ``url``."""
    if not isinstance(database, SqlDatabaseAdapter):
        raise ConfigurationError("session.store.url: this database keeps sessions by itself")
    from better_auth.adapters.redis import RedisDatabaseAdapter  # an optional extra

    return RedisDatabaseAdapter(
        database,
        url,
        keep_table=config.session.store.keep_table,
        prefix=config.session.store.prefix,
        pool_size=config.database_pool_size,
        patience=config.database_patience.total_seconds(),
        clock=clock,
    )


def make_mailer(mail: Mailer | MailProvider | None, config: AuthConfig) -> Mailer:
    """What sends mail: what was given, or what ``config.mail`` names."""
    if isinstance(mail, Mailer):
        return mail
    if mail is None and config.mail.url is not None:
        mail = provider_from_url(config.mail.url, sender=config.mail.sender)
    return Mailer(mail)


def extended(model: type[Record], additions: Sequence[type[Fields] | None]) -> type[Record]:
    """``model`` with plugins' field sets joined in, under its own name."""
    mixins: list[Any] = [fields for fields in additions if fields is not None]
    if not mixins:
        return model
    return create_model(model.__name__, __base__=(*reversed(mixins), model))


def own_version() -> str:
    """The installed version of this package."""
    try:
        return version("better-auth")
    except PackageNotFoundError:
        return "0"
