"""What the two-factor endpoints take and answer."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from better_auth.http.body import Input
from better_auth.models import Fields, User
from better_auth.plugins.two_factor.records import TrustedDevice


class WithPassword(Input):
    """The user's password, once more; who has none leaves it out, in a fresh session."""

    password: str | None = Field(default=None, repr=False, json_schema_extra={"format": "password"})


class WithPasswordForUri(WithPassword):
    """The same; ``qrCode`` asks for the URI as an SVG image, too."""

    qr_code: bool = False


class ToDisable(WithPassword):
    """The same; ``revokeOtherSessions`` ends the user's other sessions, too."""

    revoke_other_sessions: bool = False


class Code(Input):
    """A code, and whether to trust this device from now on."""

    code: str = Field(min_length=1, max_length=64, repr=False)
    trust_device: bool = False


class ConfirmingCode(Code):
    """The same; where it confirms two-factor, ``revokeOtherSessions`` ends the user's other
    sessions, which were begun without."""

    revoke_other_sessions: bool = False


class BackupCodeInput(Code):
    """A backup code; ``disableSession``: only spend it, and begin no session."""

    disable_session: bool = False


class DeviceId(Input):
    """Which trusted device."""

    id: str = Field(max_length=64)


class Enrolment(Fields):
    """What an authenticator app needs, shown once with the backup codes.

    ``token`` is the session's new token.
    """

    method: Literal["totp"] = "totp"
    totp_uri: str = Field(serialization_alias="totpURI")
    backup_codes: list[str]
    qr_code: str | None
    token: str


class TotpUri(Fields):
    """What an authenticator app needs."""

    totp_uri: str = Field(serialization_alias="totpURI")
    qr_code: str | None


class BackupCodes(Fields):
    """New backup codes; the old ones are void."""

    status: bool = True
    backup_codes: list[str]


class Renewed(Fields):
    """It was done; ``token`` is the session's new token."""

    status: bool = True
    token: str


class Sent(Fields):
    """A code is on its way."""

    status: bool = True


class SignedIn(Fields):
    """The session's token and its user, as signing in answers them; no token where none began."""

    token: str | None
    user: User


class DeviceList(Fields):
    """Trusted devices, newest first."""

    devices: Sequence[TrustedDevice]
