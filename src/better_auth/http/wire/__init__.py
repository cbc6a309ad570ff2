"""How requests carry a session and answers look outside, a module a look.

``native`` is the session page's and the default, ``javascript`` what the official JavaScript
client expects.
"""

from better_auth.http.wire.base import Credential, Wire
from better_auth.http.wire.json import render_json
from better_auth.http.wire.native import NativeWire

__all__ = ["Credential", "NativeWire", "Wire", "render_json"]
