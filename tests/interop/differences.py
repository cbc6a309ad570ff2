"""Where this server deliberately answers the official client otherwise than better-auth's own.

docs/javascript.md has the same list in prose.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """``fields`` matches lines of a comparison (``step: path: ours | theirs``)."""

    fields: str
    why: str

    def explains(self, line: str) -> bool:
        """Whether ``line`` is this difference."""
        return re.search(self.fields, line) is not None


EVERYWHERE = [
    Difference(
        r"\.ipAddress: '127.0.0.1' \| ''$",
        "The address of the connection is known without a proxy's header.",
    ),
    Difference(
        r"error.code: 'UNAUTHORIZED' \| 'absent'$|error.hasMessage: True \| False$",
        "Every 401 has its code and message.",
    ),
]
"""May occur in any walk."""

DELIBERATE: dict[str, list[Difference]] = {
    "ways-in": [
        Difference(
            r"^without a name: data.user.email: '\w+@placeholder.invalid' \| '\w+@anonymous\.",
            "Every user without an address has a made-up one below the same domain.",
        ),
        Difference(
            r"^another name: cookies.session_token: 'absent' \|",
            "The session's cookie names the session, which is the same.",
        ),
        Difference(
            r"^a one-time token: data.token: '[\w-]+' \| '([\w-]{32}|<opaque>)'$",
            "A token names its row and carries 256 bits.",
        ),
        Difference(
            r"^(carry it again|change by code): error.code: '\w+' \| 'absent'$",
            "Every error has a code.",
        ),
    ],
    "several-accounts": [
        Difference(
            r"^nor the other: cookies.session_token: 'absent' \| None$",
            "No cookie is taken back from a client that came without one.",
        ),
    ],
    "sessions": [
        Difference(
            r"^no address: error.code: 'INVALID_EMAIL' \| 'VALIDATION_ERROR'$",
            "An address that is none is called INVALID_EMAIL at sign-up as it is at sign-in.",
        ),
        Difference(
            r"^(nobody signs out|by unknown Bearer): cookies.session_token: 'absent' \| None$",
            "No cookie is taken back from a client that came without one: a form of another site "
            "is sent without it, and the answer would sign the user out.",
        ),
    ],
    "account": [
        Difference(r"^ask for [^:]*: data.message: ", "Messages are our own."),
        Difference(
            r"^after the reset: (data|cookies.session_token): None \|",
            "A reset ends every session.",
        ),
        Difference(
            r"^(the new password|change, ending others|this is not|renamed)"
            r": data.user.emailVerified: True \| False$",
            "Whoever chose a new password by the link has read the mail: the address is verified.",
        ),
        Difference(
            r"^prove it: (data.token|cookies.session_token): .* \| 'absent'$",
            "A password proven again makes the session fresh, under a new token.",
        ),
        Difference(
            r"^follow: cookies.session_token: \{.*\} \| 'absent'$",
            "The session that stays when an address is verified has a new token.",
        ),
        Difference(
            r"^rename: cookies.session_token: 'absent' \|",
            "The session's cookie names the session, which is the same.",
        ),
        Difference(
            r"error.code: '(FIELD_NOT_ALLOWED|EMAIL_IS_THE_SAME)' \| 'absent'$",
            "Every error has a code.",
        ),
        Difference(
            r"^unlink what is not there: error.code: 'ACCOUNT_NOT_FOUND' \|",
            "What is not there is not the last account.",
        ),
        Difference(
            r"^to none: error.code: 'INVALID_EMAIL' \| 'VALIDATION_ERROR'$",
            "An address that is none is called INVALID_EMAIL everywhere.",
        ),
    ],
    "other-address": [
        Difference(
            r"^ask for the same: error.code: 'EMAIL_IS_THE_SAME' \| 'absent'$",
            "Every error has a code.",
        ),
    ],
    "provider": [
        Difference(
            r"^back once more: data.1: '/' \| '/api/auth/error'$",
            "Errors are shown by a page of the application's (error_url), never by the server.",
        ),
        Difference(
            r"^in another's browser: data.1: '/' \| '/oops'$",
            "Of a sign-in that another browser began nothing is believed, its pages included.",
        ),
        Difference(
            r"^link another's: data: 'UNAUTHORIZED' \|"
            r"|^unlink: (data: None|error: \{'status': 400.*LAST_ACCOUNT.*\}) \|"
            r"|^one way in: data.0: 'acme' \| 'credential'$",
            "The first proof of an address, here by the provider's word, ends what was made before "
            "it: the sessions, and the password that anybody may have chosen.",
        ),
    ],
    "social": [
        Difference(
            r"^(by (apple|gitlab|google|microsoft|slack|twitch)|with more|link): "
            r"data.nonce: True \| False$",
            "An ID token is bound to its request by a nonce wherever the provider takes one.",
        ),
        Difference(
            r"^by apple: data.response_type: 'code' \| 'code id_token'$",
            "The ID token comes from the token endpoint alone.",
        ),
        Difference(
            r"^by discord: data.(page: 'https://discord.com/oauth2/authorize' \|"
            r"|parameters: .* \| .*'prompt')",
            "The address Discord documents; whether to ask again is Discord's to say.",
        ),
        Difference(
            r"^by gitlab: data.scope: \['email', 'openid', 'profile'\] \| \['read_user'\]$",
            "GitLab is asked as the OpenID provider it is, not for its API.",
        ),
        Difference(
            r"^back from nobody: data.1: 'oauth_provider_not_found' \| 'state_mismatch'$",
            "Who is not configured is told as that.",
        ),
        Difference(
            r"^by the provider's name: error.code: 'ACCOUNT_NOT_FOUND' \| 'VALIDATION_ERROR'$",
            "One's account at a provider may be named by the provider as well.",
        ),
    ],
    "two-factor": [
        Difference(
            r"^(disable|disable what is not on|enable): data.token: '<opaque>' \| 'absent'$"
            r"|^enable: cookies.session_token: \{.*\} \| 'absent'$",
            "Every change of the second factor gives the session a new token, the beginning of "
            "enrolment included; clients without cookies find it in the body.",
        ),
        Difference(
            r"data.qrCode: None \| 'absent'$",
            "The URI is drawn as a QR code where the body asks for it (qrCode: true).",
        ),
        Difference(
            r"totpURI.2: \['issuer', 'secret'\] \|",
            "The URI leaves out what authenticator apps take as given: 6 digits, 30 seconds.",
        ),
        Difference(
            r"^URI: data.totpURI.1: '/Interop:", "The URI shows the configured issuer each time."
        ),
        Difference(
            r"^confirm: data.user.twoFactorEnabled: True \| False$",
            "The user answered is the one the confirmation has made.",
        ),
        Difference(
            r"^sign in[^:]*: cookies.session_token: 'absent' \| None$"
            r"|^no session, only a code: cookies.session_token: 'absent' \| None$",
            "No session was begun, so none is taken back; another that the browser may hold lives.",
        ),
        Difference(r"^no session, only a code: data.token: None \| 'absent'$", "Null says it."),
    ],
    "admin": [
        Difference(
            r"data.(limit: 100|offset: 0) \| 'absent'$", "A page says which it is, asked or not."
        ),
        Difference(
            r"unknown role: (data: None|error: \{'status': 400)",
            "A role that does not exist cannot be given to anybody.",
        ),
        Difference(
            r"^ban again, for good: data.user.banReason: None \| 'No reason'$",
            "No reason given is none.",
        ),
        Difference(
            r"^end [^:]*: data.count: \d \| 'absent'$", "How many sessions were really ended."
        ),
        Difference(
            r"^stop what has not begun: error.code: 'NOT_IMPERSONATING' \| 'absent'$",
            "Every error has a code.",
        ),
        Difference(
            r"^impersonate: cookies.admin_session.max-age: 3600 \| 604800$",
            "The way back is kept no longer than the impersonation can last.",
        ),
    ],
    "organization": [
        Difference(
            r"USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION' \| '"
            r"|^(full, nowhere|update elsewhere|invite elsewhere|leave again|delete again)"
            r": error.status: 403 \| 400$",
            "Who does not belong is told so alike everywhere, whether or not there is such an "
            "organization.",
        ),
        Difference(
            r"data(\.\d+)?\.(updatedAt: '<time>'|metadata: None) \| 'absent'$"
            r"|^create[^:]*: data.(invitations: \[\]|members.0.user: \{.*\}) \| 'absent'$",
            "An organization is answered whole.",
        ),
        Difference(
            r"""metadata: \{'plan': 'free'\} \| '\{"plan":"free"\}'$""",
            "Metadata is answered as the object it was given as.",
        ),
        Difference(
            r"^invite with an unknown role: error.code: 'ROLE_NOT_FOUND' \| 'absent'$",
            "Every error has a code.",
        ),
        Difference(
            r"^(works there no longer|and stay): data: None \| '<opaque>'$",
            "Who was put out of an organization has it active in no session.",
        ),
        Difference(
            r"^set [^:]*active[^:]*: cookies.session_token: 'absent' \|",
            "The session's cookie names the session, which is the same.",
        ),
    ],
}
"""By walk; each must occur in it."""
