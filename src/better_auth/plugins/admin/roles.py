"""The roles every application has, unless it brings its own."""

from better_auth.plugins.access import AccessControl

STATEMENTS = {
    "user": (
        "create",
        "list",
        "get",
        "update",
        "remove",
        "set-role",
        "set-password",
        "ban",
        "impersonate",
        "impersonate-admins",
    ),
    "session": ("list", "revoke", "revoke-all"),
}

DEFAULT_ROLES = AccessControl(
    STATEMENTS,
    {
        "admin": {
            **STATEMENTS,
            "user": tuple(a for a in STATEMENTS["user"] if a != "impersonate-admins"),
        },
        "user": {},
    },
)
"""``admin`` may do everything but impersonate other admins, ``user`` nothing."""
