"""What endpoints of several plugins answer."""

from better_auth.errors import AuthError
from better_auth.http.messages import Redirect
from better_auth.models import Fields


class Status(Fields):
    """It was done."""

    status: bool = True


class Renewed(Fields):
    """It was done, and the session has a new token."""

    status: bool = True
    token: str


def refused_at(callback_url: str | None, error: AuthError) -> Redirect:
    """``error`` told to the page at ``callback_url`` (checked); raised where there is none."""
    if callback_url is None:
        raise error
    return Redirect.to(callback_url, error=error.code)
