"""Node and its packages, once for all tests here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.node import workshop


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Where Node's scripts and packages are."""
    with workshop() as folder:
        yield folder
