"""What tables and columns are called in the database, where not as their records and fields."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator
from pydantic.alias_generators import to_camel


def _split_pairs(value: object) -> object:
    """``a=b,c=d`` (or JSON), as an environment variable holds a mapping."""
    if value is None:
        return {}
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return json.loads(value)
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    return {name.strip(): given.strip() for name, _, given in pairs}


Renamed = Annotated[Mapping[str, str], BeforeValidator(_split_pairs)]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Names(BaseModel):
    """How the library's names become the database's.

    >>> names = Names(prefix="auth_", style="camelCase", columns={"user.email": "mail"})
    >>> names.table("two_factor"), names.column("session", "user_id"), names.column("user", "email")
    ('auth_twoFactor', 'userId', 'mail')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Literal["snake_case", "camelCase"] = "snake_case"
    """How names of several words are written."""
    prefix: str = ""
    """What every table's name begins with, those in ``tables`` excepted."""
    tables: Renamed = {}
    """Tables by their record's name: ``{"session": "auth_sessions"}``."""
    columns: Renamed = {}
    """Columns by table and field: ``{"session.user_id": "owner"}``."""

    @field_validator("prefix")
    @classmethod
    def _is_beginning(cls, value: str) -> str:
        if value and not _NAME.fullmatch(value):
            raise ValueError(f"{value!r} can begin no name: letters, digits and _ only")
        return value

    @field_validator("tables", "columns")
    @classmethod
    def _are_names(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        for key, value in values.items():
            if not _NAME.fullmatch(value):
                raise ValueError(f"{key}: {value!r} is no name: letters, digits and _, at most 63")
        return values

    def table(self, record: str) -> str:
        """The table of the record whose ``table_name`` is ``record``."""
        return self.tables.get(record) or self.prefix + self._styled(record)

    def column(self, record: str, field: str) -> str:
        """The column of that record's ``field``."""
        return self.columns.get(f"{record}.{field}") or self._styled(field)

    def _styled(self, name: str) -> str:
        return to_camel(name) if self.style == "camelCase" else name
