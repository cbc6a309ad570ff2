"""Codes sent to an address."""

from better_auth.plugins.email_otp.plugin import EmailOtpPlugin

__all__ = ["EmailOtpPlugin"]
