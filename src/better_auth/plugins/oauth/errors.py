"""What goes wrong between the application, a provider and a browser."""


class OAuthFailure(Exception):
    """A sign-in through a provider that comes to nothing.

    ``code`` is what the browser is sent back with (``?error=code``): letters, digits and
    underscores, never what somebody else wrote. ``detail`` is for the log and holds no secret.
    ``user_id`` is whom it concerned, if known.
    """

    def __init__(self, code: str, detail: str = "", *, user_id: str | None = None) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail or code
        self.user_id = user_id


class ProviderUnavailable(OAuthFailure):
    """The provider did not answer in time, or not as one does that works."""

    def __init__(self, detail: str) -> None:
        super().__init__("provider_unavailable", detail)
