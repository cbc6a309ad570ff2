"""The codes: TOTP (RFC 6238), one-time passwords that are sent, backup codes.

Each check consumes what it accepts, in the caller's transaction: the statement that spends a code
says by its row count whether this caller was the one to spend it.
"""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from hmac import compare_digest
from typing import TypeAlias

import pyotp

from better_auth.adapters.base import Verbs, in_, lt
from better_auth.crypto import Keyring, Purpose
from better_auth.errors import BadRequest
from better_auth.plugins.two_factor.records import BackupCode, TwoFactor

STEP_SECONDS = 30
OTP_DIGITS = 6
BACKUP_CODES = 10
_BACKUP_LENGTH = 10
_BACKUP_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is easily confused; ten of them are 49 bits, guessed five at a time."""

Check: TypeAlias = Callable[[Verbs, TwoFactor], Awaitable[bool]]
"""Whether a code is right; if so, it is spent by the same transaction."""


class Codes:
    """Makes, recognises and spends the codes of one application."""

    def __init__(self, keyring: Keyring, issuer: str) -> None:
        self._keyring = keyring
        self._issuer = issuer

    def new_secret(self, factor_id: str) -> str:
        """A fresh TOTP secret (160 bits), sealed."""
        return self._keyring.seal(Purpose.TOTP_SECRET, pyotp.random_base32(), bound_to=factor_id)

    def uri(self, factor: TwoFactor, email: str) -> str:
        """What an authenticator app scans: the ``otpauth://`` URI."""
        return self._totp(factor).provisioning_uri(name=email, issuer_name=self._issuer)

    def _totp(self, factor: TwoFactor) -> pyotp.TOTP:
        sealed = factor.sealed_secret
        secret = self._keyring.open(Purpose.TOTP_SECRET, sealed, bound_to=factor.id)
        if secret is None:
            raise BadRequest("Two-factor must be set up again", "TWO_FACTOR_NOT_ENABLED")
        return pyotp.TOTP(secret, interval=STEP_SECONDS)

    def totp(self, code: str, now: datetime) -> Check:
        """Accepts the code of this time step or a neighbouring one, each step once
        (RFC 6238 section 5.2)."""

        async def check(verbs: Verbs, factor: TwoFactor) -> bool:
            totp = self._totp(factor)
            step = int(now.timestamp()) // STEP_SECONDS
            near = {
                candidate: totp.generate_otp(candidate) for candidate in range(step - 1, step + 2)
            }
            right = [s for s, text in near.items() if compare_digest(text.encode(), code.encode())]
            return bool(right) and bool(
                await verbs.update(
                    TwoFactor, {"last_step": right[0]}, id=factor.id, last_step=lt(right[0])
                )
            )

        return check

    def new_otp(self, bound_to: str) -> tuple[str, str]:
        """A code to send, and what is stored of it; good only for the sign-in ``bound_to``."""
        code = "".join(secrets.choice("0123456789") for _ in range(OTP_DIGITS))
        return code, self._keyring.fingerprint(Purpose.OTP, f"{bound_to}:{code}")

    def otp(self, code: str, bound_to: str, now: datetime) -> Check:
        """Accepts the code that was sent last for ``bound_to``, once, while it lasts."""

        async def check(verbs: Verbs, factor: TwoFactor) -> bool:
            if factor.otp_key is None or factor.otp_expires_at is None:
                return False
            if factor.otp_expires_at <= now:
                raise BadRequest("The code has expired; ask for another", "OTP_HAS_EXPIRED")
            if not self._keyring.is_fingerprint(Purpose.OTP, f"{bound_to}:{code}", factor.otp_key):
                return False
            spent = {"otp_key": None, "otp_expires_at": None}
            return bool(await verbs.update(TwoFactor, spent, id=factor.id, otp_key=factor.otp_key))

        return check

    def new_backup_codes(self, user_id: str, now: datetime) -> tuple[list[str], list[BackupCode]]:
        """Ten codes as they are shown, and as they are stored."""
        shown, stored = [], []
        for _ in range(BACKUP_CODES):
            code = "".join(secrets.choice(_BACKUP_ALPHABET) for _ in range(_BACKUP_LENGTH))
            record = BackupCode(
                user_id=user_id,
                code_key=self._keyring.fingerprint(Purpose.BACKUP_CODE, f"{user_id}:{code}"),
                sealed_code="",
                created_at=now,
            )
            sealed = self._keyring.seal(Purpose.BACKUP_CODE, code, bound_to=record.id)
            stored.append(record.revised(sealed_code=sealed))
            shown.append(_grouped(code))
        return shown, stored

    def backup(self, code: str) -> Check:
        """Accepts an unused backup code, written with or without its hyphen."""
        plain = "".join(code.split()).replace("-", "").lower()

        async def check(verbs: Verbs, factor: TwoFactor) -> bool:
            keys = self._keyring.fingerprints(Purpose.BACKUP_CODE, f"{factor.user_id}:{plain}")
            return bool(await verbs.take(BackupCode, user_id=factor.user_id, code_key=in_(keys)))

        return check

    def open_backup_code(self, record: BackupCode) -> str | None:
        """The code of a stored record, as it was shown."""
        code = self._keyring.open(Purpose.BACKUP_CODE, record.sealed_code, bound_to=record.id)
        return code and _grouped(code)


def _grouped(code: str) -> str:
    half = len(code) // 2
    return f"{code[:half]}-{code[half:]}"
