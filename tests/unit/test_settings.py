"""What is decided by the environment, and what is refused where an application is built."""

from datetime import timedelta

import pytest

from better_auth import AuthConfig, ConfigurationError
from better_auth.plugins import EmailPasswordPlugin
from tests.support import make_auth


def test_an_empty_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """ "an empty variable sets what may be unset to none", whatever its default."""
    for name in ("SECRET", "SECRETS", "BASE_URL", "JAVASCRIPT_PATH", "SESSION__STORE__URL"):
        monkeypatch.setenv(f"BETTER_AUTH_{name}", "")
    monkeypatch.setenv("BETTER_AUTH_TRUSTED_ORIGINS", "")
    monkeypatch.setenv("BETTER_AUTH_DATABASE_NAMES__TABLES", "")
    monkeypatch.setenv("BETTER_AUTH_SESSION__PURGE_INTERVAL", "")
    monkeypatch.setenv("BETTER_AUTH_SESSION__UPDATE_AGE", "60")
    config = AuthConfig.from_env(javascript_path="/api/auth")
    assert config.session.purge_interval is None
    assert config.session.update_age == timedelta(minutes=1)
    assert (config.secret, config.secrets, config.base_url) == (None, [], None)
    assert (config.javascript_path, config.trusted_origins) == (None, [])
    assert (config.session.store.url, config.database_names.tables) == (None, {})
    monkeypatch.setenv("BETTER_AUTH_SESSION__EXPIRES_IN", "")
    with pytest.raises(ConfigurationError, match=r"session\.expires_in"):
        AuthConfig.from_env()


def test_a_class_is_no_plugin() -> None:
    """A forgotten pair of parentheses is named."""
    with pytest.raises(ConfigurationError, match="EmailPasswordPlugin is a class"):
        make_auth(plugins=[EmailPasswordPlugin])


def test_a_shared_database_needs_its_table() -> None:
    """ "Sessions in Redis are possible beside the table alone", where another server looks."""
    store = {"url": "redis://127.0.0.1"}
    with pytest.raises(ConfigurationError, match="keep_table"):
        make_auth(share_database_with_typescript=True, session={"store": store}, plugins=[])
    kept = {**store, "keep_table": True}
    make_auth(share_database_with_typescript=True, session={"store": kept}, plugins=[])
