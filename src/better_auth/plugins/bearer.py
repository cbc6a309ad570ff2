"""``Authorization: Bearer``: part of every application; here are its options."""

from better_auth.errors import ConfigurationError
from better_auth.http.call import Context
from better_auth.plugins.base import Plugin


class BearerPlugin(Plugin):
    """What a Bearer token must be on the JavaScript wire.

    A session's token is taken as Bearer on both wires without this plugin, and the JavaScript
    wire sends it, signed, in ``set-auth-token`` wherever it sets the cookie. With
    ``require_signature=True`` only that signed form is taken there: a token that leaked from a
    listing opens nothing.
    """

    name = "Bearer"

    def __init__(self, *, require_signature: bool = False) -> None:
        self.require_signature = require_signature

    def bind(self, context: Context) -> None:
        """Raises ``ConfigurationError`` where no wire signs tokens."""
        super().bind(context)
        if not self.require_signature:
            return
        if context.config.wire != "javascript" and context.config.javascript_path is None:
            raise ConfigurationError("BearerPlugin: only the JavaScript wire signs tokens")
        context.config.session.require_signed_bearer = True
