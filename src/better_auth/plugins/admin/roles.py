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

UNKNOWN_ROLE = "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE"

REFUSALS = {
    ("user", "create"): "YOU_ARE_NOT_ALLOWED_TO_CREATE_USERS",
    ("user", "list"): "YOU_ARE_NOT_ALLOWED_TO_LIST_USERS",
    ("user", "get"): "YOU_ARE_NOT_ALLOWED_TO_GET_USER",
    ("user", "update"): "YOU_ARE_NOT_ALLOWED_TO_UPDATE_USERS",
    ("user", "remove"): "YOU_ARE_NOT_ALLOWED_TO_DELETE_USERS",
    ("user", "set-role"): "YOU_ARE_NOT_ALLOWED_TO_CHANGE_USERS_ROLE",
    ("user", "set-password"): "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_PASSWORD",
    ("user", "ban"): "YOU_ARE_NOT_ALLOWED_TO_BAN_USERS",
    ("user", "impersonate"): "YOU_ARE_NOT_ALLOWED_TO_IMPERSONATE_USERS",
    ("session", "list"): "YOU_ARE_NOT_ALLOWED_TO_LIST_USERS_SESSIONS",
    ("session", "revoke"): "YOU_ARE_NOT_ALLOWED_TO_REVOKE_USERS_SESSIONS",
}
"""The error code for who lacks a permission."""
