"""Administration: roles, bans, other people's sessions, impersonation."""

from better_auth.plugins.admin.plugin import AdminPlugin
from better_auth.plugins.admin.roles import DEFAULT_ROLES, STATEMENTS

__all__ = ["DEFAULT_ROLES", "STATEMENTS", "AdminPlugin"]
