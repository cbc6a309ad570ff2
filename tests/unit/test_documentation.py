"""The documents keep up with the code."""

import re
from pathlib import Path

from better_auth import AuthConfig
from better_auth.config import Section
from better_auth.endings import ENDS
from better_auth.plugins.audit import Kind
from tests.support import every_plugin, make_auth

DOCS = Path(__file__).parents[2] / "docs"
SOURCE = Path(__file__).parents[2] / "src"


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
    for path in make_auth(plugins=every_plugin()).openapi()["paths"]:
        assert path in text, path


def test_what_ends_what_is_documented() -> None:
    """docs/what-ends-what.md shows the table the code reads."""
    lines = (DOCS / "what-ends-what.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    ends = {True: "end", False: "stay"}
    assert rows[2:] == [
        [change.value, ending.sessions, ends[ending.challenges], ends[ending.trusted_devices]]
        for change, ending in ENDS.items()
    ]


def test_what_is_told_is_documented() -> None:
    """docs/observability.md names every type of audit event, every metric and every logger."""
    text = (DOCS / "observability.md").read_text()
    source = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    telemetry = (SOURCE / "better_auth" / "plugins" / "telemetry.py").read_text()
    metrics = re.findall(r'"(better_auth\.[\w.]+)"', telemetry)
    loggers = re.findall(r'getLogger\("([\w.]+)"\)', source)
    assert len(metrics) == 12
    for name in (*Kind, *metrics, *loggers):
        assert f"`{name}`" in text, name
