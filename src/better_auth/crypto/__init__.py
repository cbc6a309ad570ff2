"""Cryptography, all of it: keys that rotate, and passwords."""

from better_auth.crypto.password_policy import HaveIBeenPwned, PasswordPolicy
from better_auth.crypto.passwords import PasswordHasher
from better_auth.crypto.secrets import Keyring, Purpose
from better_auth.crypto.signing import CookieSigner

__all__ = [
    "CookieSigner",
    "HaveIBeenPwned",
    "Keyring",
    "PasswordHasher",
    "PasswordPolicy",
    "Purpose",
]
