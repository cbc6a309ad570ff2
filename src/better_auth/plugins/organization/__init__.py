"""Organizations: members, roles, invitations, and the one a session works in."""

from better_auth.plugins.organization.plugin import OrganizationPlugin
from better_auth.plugins.organization.records import Invitation, Member, Organization
from better_auth.plugins.organization.roles import DEFAULT_ROLES, STATEMENTS

__all__ = [
    "DEFAULT_ROLES",
    "STATEMENTS",
    "Invitation",
    "Member",
    "Organization",
    "OrganizationPlugin",
]
