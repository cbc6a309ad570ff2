"""What two-factor sign-in stores. A stolen database gives no secret, no code and no device: secrets
and backup codes are sealed, everything that is looked up is a keyed fingerprint."""

from typing import Annotated, ClassVar

from pydantic import Field

from better_auth.clock import UtcDatetime
from better_auth.models import Column, Fields, Record


class TwoFactorFields(Fields):
    """What every user carries: whether a second factor is asked for."""

    two_factor_enabled: bool = False


class TwoFactor(Record):
    """A user's second factor, and what stands against guessing it.

    ``last_step`` is the newest TOTP time step that was accepted: none is accepted twice.
    ``failures`` counts wrong codes since the last right one, over all sign-ins and factors.
    """

    table_name: ClassVar[str] = "two_factor"

    user_id: Annotated[str, Column(unique=True, length=64, references="user")]
    sealed_secret: Annotated[str, Column(length=512)] = Field(repr=False)
    verified: bool = False
    last_step: int = 0
    otp_key: Annotated[str | None, Column(length=128)] = Field(default=None, repr=False)
    otp_expires_at: UtcDatetime | None = None
    failures: int = 0
    locked_until: UtcDatetime | None = None
    created_at: UtcDatetime
    updated_at: UtcDatetime


class BackupCode(Record):
    """One backup code that was not used yet."""

    table_name: ClassVar[str] = "two_factor_backup_code"

    user_id: Annotated[str, Column(index=True, length=64, references="user")]
    code_key: Annotated[str, Column(unique=True, length=128)] = Field(repr=False)
    sealed_code: Annotated[str, Column(length=512)] = Field(repr=False)
    created_at: UtcDatetime


class PendingSignIn(Record):
    """A sign-in whose password was right and whose second factor is awaited."""

    table_name: ClassVar[str] = "two_factor_challenge"

    user_id: Annotated[str, Column(index=True, length=64, references="user")]
    token_key: Annotated[str, Column(unique=True, length=128)] = Field(repr=False)
    remember: bool
    attempts: int = 0
    created_at: UtcDatetime
    expires_at: Annotated[UtcDatetime, Column(index=True)]


class TrustedDevice(Record):
    """A browser that need not prove the second factor again until ``expires_at``."""

    table_name: ClassVar[str] = "trusted_device"

    user_id: Annotated[str, Column(index=True, length=64, references="user")]
    token_key: Annotated[str, Column(unique=True, length=128)] = Field(exclude=True, repr=False)
    ip_address: Annotated[str | None, Column(length=64)] = None
    user_agent: Annotated[str | None, Column(length=512)] = None
    created_at: UtcDatetime
    updated_at: UtcDatetime
    expires_at: Annotated[UtcDatetime, Column(index=True)]
