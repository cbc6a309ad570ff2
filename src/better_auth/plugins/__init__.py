"""Capabilities: the plugins that come with the library, and what your own are made of."""

from better_auth.events import on
from better_auth.http.body import Input
from better_auth.http.call import Call, Context
from better_auth.http.endpoints import get, post
from better_auth.plugins.base import Plugin
from better_auth.plugins.email_password import EmailPasswordPlugin
from better_auth.plugins.session_management import SessionManagementPlugin

__all__ = [
    "Call",
    "Context",
    "EmailPasswordPlugin",
    "Input",
    "Plugin",
    "SessionManagementPlugin",
    "get",
    "on",
    "post",
]
