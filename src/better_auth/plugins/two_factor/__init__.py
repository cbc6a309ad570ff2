"""Two-factor sign-in: TOTP, sent codes, backup codes, trusted devices."""

from better_auth.errors import MissingExtra

try:
    import pyotp  # noqa: F401
    import segno  # noqa: F401
except ImportError:
    raise MissingExtra("TwoFactorPlugin", "two-factor") from None

from better_auth.plugins.two_factor.plugin import TwoFactorPlugin

__all__ = ["TwoFactorPlugin"]
