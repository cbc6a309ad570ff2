"""HTTP without a framework: messages, endpoints, guards, the wire, OpenAPI, ASGI."""

from better_auth.http.body import Input
from better_auth.http.call import Call, Context
from better_auth.http.cookies import SetCookie
from better_auth.http.endpoints import Endpoint, get, post
from better_auth.http.messages import AuthRequest, AuthResponse, Redirect

__all__ = [
    "AuthRequest",
    "AuthResponse",
    "Call",
    "Context",
    "Endpoint",
    "Input",
    "Redirect",
    "SetCookie",
    "get",
    "post",
]
