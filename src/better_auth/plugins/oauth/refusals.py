"""What a failed sign-in through a provider is for callers that are answered in JSON."""

from better_auth.errors import (
    AuthError,
    BadRequest,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
)
from better_auth.plugins.oauth.errors import OAuthFailure, ProviderUnavailable

_UNAUTHORIZED = {
    "invalid_id_token": ("INVALID_TOKEN", "Invalid token"),
    "unable_to_get_user_info": ("FAILED_TO_GET_USER_INFO", "Failed to get user info"),
    "email_not_found": ("USER_EMAIL_NOT_FOUND", "The provider told no e-mail address"),
    "email_does_not_match": (
        "LINKING_DIFFERENT_EMAILS_NOT_ALLOWED",
        "Account not linked - different emails not allowed",
    ),
    "unable_to_link_account": (
        "LINKING_NOT_ALLOWED",
        "Account not linked - linking not allowed",
    ),
}


def refusal(failure: OAuthFailure) -> AuthError:
    """The error to answer with."""
    if isinstance(failure, ProviderUnavailable):
        return ServiceUnavailable("The provider cannot be reached. Please try again.")
    if failure.code == "id_token_not_supported":
        return NotFound("id_token not supported", "ID_TOKEN_NOT_SUPPORTED")
    if failure.code == "account_already_linked_to_different_user":
        return AuthError(409, "SOCIAL_ACCOUNT_ALREADY_LINKED", "Social account already linked")
    if failure.code in _UNAUTHORIZED:
        code, message = _UNAUTHORIZED[failure.code]
        return Unauthorized(message, code)
    return Unauthorized(failure.code.replace("_", " "), "OAUTH_LINK_ERROR")


def token_refusal(failure: OAuthFailure, code: str, message: str) -> AuthError:
    """The error where an account's tokens were asked for."""
    if isinstance(failure, ProviderUnavailable):
        return refusal(failure)
    if failure.code == "refresh_token_not_found":
        return BadRequest("Refresh token not found", "REFRESH_TOKEN_NOT_FOUND")
    if failure.code == "account_not_found":
        return BadRequest("Account not found", "ACCOUNT_NOT_FOUND")
    return BadRequest(message, code)
