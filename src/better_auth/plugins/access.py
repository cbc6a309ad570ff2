"""Access control: which role may do what, as data.

A *statement* names a resource and its actions; a role holds some of them. Administrators and
organizations use the same two classes with statements of their own.

    roles = AccessControl(
        {"invoice": ("read", "pay")},
        {"clerk": {"invoice": ("read",)}, "boss": {"invoice": ("read", "pay")}},
    )
    roles.allows("clerk", {"invoice": ("pay",)})  # False
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from better_auth.errors import BadRequest, ConfigurationError

Permissions: TypeAlias = Mapping[str, Sequence[str]]
"""Actions by resource."""


def _joined(value: object) -> object:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return ",".join(value)
    return value


RoleNames = Annotated[
    str,
    Field(min_length=1, max_length=255),
    BeforeValidator(_joined, json_schema_input_type=str | list[str]),
]
"""Input: one role, or several, separated by commas or in a list."""


class AccessControl:
    """What there is to be allowed, and which role is allowed what.

    Raises ``ConfigurationError`` for a role that holds what no statement names.
    """

    def __init__(self, statements: Permissions, roles: Mapping[str, Permissions]) -> None:
        self.statements = _pairs(statements)
        self.roles = {name: _pairs(permissions) for name, permissions in roles.items()}
        for name, held in self.roles.items():
            if "," in name or not name.strip():
                raise ConfigurationError(f"{name!r} is not a role's name")
            if unknown := held - self.statements:
                raise ConfigurationError(f"role {name}: unknown permissions {sorted(unknown)}")

    def held_by(self, roles: str) -> frozenset[tuple[str, str]]:
        """Everything the roles (one, or several separated by commas) may do together."""
        names = [name.strip() for name in roles.split(",")]
        return frozenset().union(*(self.roles.get(name, frozenset()) for name in names))

    def allows(self, roles: str, wanted: Permissions) -> bool:
        """Whether ``roles`` may do all that is ``wanted``."""
        return _pairs(wanted) <= self.held_by(roles)

    def checked(self, roles: str, *, unknown: str = "ROLE_NOT_FOUND") -> str:
        """``roles`` in canonical form. Raises ``BadRequest`` (code ``unknown``) where one does
        not exist."""
        names = list(dict.fromkeys(name.strip() for name in roles.split(",")))
        for name in names:
            if name not in self.roles:
                raise BadRequest(f"role: there is no role {name[:64]!r}", unknown)
        return ",".join(names)


def _pairs(permissions: Permissions) -> frozenset[tuple[str, str]]:
    return frozenset(
        (resource, action) for resource, actions in permissions.items() for action in actions
    )
