"""The roles every organization has, unless the application brings its own."""

from better_auth.plugins.access import AccessControl

OWNER = "owner"
"""The role of which an organization always has one."""

ONLY_OWNER = "YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER"
"""The error code where that one would be lost."""

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

REFUSALS = {
    ("organization", "update"): "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_ORGANIZATION",
    ("organization", "delete"): "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_ORGANIZATION",
    ("member", "update"): "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_MEMBER",
    ("member", "remove"): "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_MEMBER",
    ("invitation", "create"): "YOU_ARE_NOT_ALLOWED_TO_INVITE_USERS_TO_THIS_ORGANIZATION",
    ("invitation", "cancel"): "YOU_ARE_NOT_ALLOWED_TO_CANCEL_THIS_INVITATION",
}
"""The error code for who lacks a permission."""
