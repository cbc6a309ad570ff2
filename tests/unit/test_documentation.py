"""The documents keep up with the code."""

from pathlib import Path

from better_auth import AuthConfig
from better_auth.config import Section
from tests.support import make_auth

DOCS = Path(__file__).parents[2] / "docs"


def settings(section: Section, prefix: str = "") -> list[str]:
    """Every setting by its dotted name."""
    names = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            names += settings(value, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def test_every_setting_is_documented() -> None:
    """docs/configuration.md has a row for each setting, and none for what is not there."""
    rows = [
        line.split("`")[1]
        for line in (DOCS / "configuration.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    assert sorted(rows) == sorted(settings(AuthConfig("x" * 32)))


def test_every_endpoint_is_documented() -> None:
    """docs/endpoints.md names each path of an application with every plugin."""
    text = (DOCS / "endpoints.md").read_text()
    for path in make_auth().openapi()["paths"]:
        assert path in text, path
