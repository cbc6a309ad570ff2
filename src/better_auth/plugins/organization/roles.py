"""The roles every organization has, unless the application brings its own."""

from better_auth.plugins.access import AccessControl

OWNER = "owner"
"""The role of which an organization always has one."""

STATEMENTS = {
    "organization": ("update", "delete"),
    "member": ("update", "remove"),
    "invitation": ("create", "cancel"),
}

DEFAULT_ROLES = AccessControl(
    STATEMENTS,
    {
        OWNER: STATEMENTS,
        "admin": {**STATEMENTS, "organization": ("update",)},
        "member": {},
    },
)
"""``owner`` may do everything, ``admin`` everything but delete the organization, ``member``
nothing. Nobody reaches a role that may do more than their own."""
