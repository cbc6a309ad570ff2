"""Signing in with a password, by whatever the user was named; and proving it once more."""

from functools import partial

from better_auth.errors import BadRequest, Forbidden, Unauthorized, ValidationFailed
from better_auth.http.call import Call, Challenge
from better_auth.models import Fields, Principal, User


class SignInResult(Fields):
    """The session's token and its user; with a ``callbackURL``, where to go next."""

    redirect: bool
    token: str
    url: str | None
    user: User


async def sign_in_with_password(
    call: Call,
    user: User | None,
    password: str,
    *,
    method: str,
    remember: bool,
    callback_url: str | None,
    wrong: Unauthorized,
) -> SignInResult | Challenge:
    """Begin a session of ``user`` (None: nobody was found), or ask for what else is due.

    Nobody and a wrong password take the same time and raise the same ``wrong``. So does a
    password that was replaced while it was checked: what ended the other sessions ends this one.
    Raises ``Forbidden`` (``EMAIL_NOT_VERIFIED``). ``callback_url`` must have been checked.
    """
    users = call.context.users
    proven = await users.proven_credential(
        user.id if user else None, password[: users.password_max_length + 1]
    )
    if user is None or proven is None:
        reason = "wrong password" if user else "unknown user"
        await call.sign_in_failed(method, reason, user.id if user else None)
        raise wrong
    if users.require_verified_email and not user.email_verified:
        await call.sign_in_failed(method, "email not verified", user.id)
        call.ask_to_verify(user, callback_url, "sign-in")
        raise Forbidden("The e-mail address is not verified", "EMAIL_NOT_VERIFIED")
    challenge = await call.second_step(user, remember=remember)
    if challenge is None:
        session = await call.begin_session(
            user, remember=remember, unless=partial(users.refuse_replaced, proven, wrong)
        )
        is_sent_on = callback_url is not None
        return SignInResult(redirect=is_sent_on, token=session.token, url=callback_url, user=user)
    try:
        await users.refuse_replaced(proven, wrong)
    except Unauthorized:
        call.cookies.clear()
        raise
    return challenge


async def proven_again(call: Call, password: str | None) -> Principal:
    """The caller, whose ``password`` this is; or who has none, and a fresh session.

    Raises ``Unauthorized``, ``BadRequest`` and, for a session that is not fresh or an
    impersonator's, ``Forbidden``.
    """
    users = call.context.users
    caller = await call.require_own()
    if password is None:
        account = await users.credential(caller.user.id)
        if account is not None and account.password_hash is not None:
            raise ValidationFailed("body.password: is missing")
        return await call.require_fresh()
    if not await users.check_password(caller.user.id, password):
        await call.sign_in_failed("password", "wrong password", caller.user.id)
        raise BadRequest("The password is wrong", "INVALID_PASSWORD")
    return caller
