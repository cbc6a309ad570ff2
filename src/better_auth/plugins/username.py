"""Signing in with a name of one's own choosing, beside the e-mail address."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import Field

from better_auth.errors import BadRequest, ConfigurationError, Unauthorized
from better_auth.errors import UnprocessableEntity as Unprocessable
from better_auth.events import UserCreating, UserUpdating, on
from better_auth.http.body import Input
from better_auth.http.call import Call, Challenge, Context
from better_auth.http.endpoints import Endpoint, post
from better_auth.models import Column, Fields, Settable, User
from better_auth.plugins.base import Plugin
from better_auth.plugins.password_sign_in import SignInResult, sign_in_with_password

AVAILABILITY = "/is-username-available"

_PLAIN = re.compile(r"[a-zA-Z0-9_.]+")


class UsernameFields(Fields):
    """``username`` is unique and stored as it is compared, ``display_username`` as it is shown."""

    username: Annotated[str | None, Column(unique=True, length=255), Settable()] = Field(
        default=None, max_length=255
    )
    display_username: Annotated[str | None, Column(length=255), Settable()] = Field(
        default=None, max_length=255
    )


class SignInUsername(Input):
    """Who signs in."""

    username: str = Field(max_length=255)
    password: str = Field(repr=False, json_schema_extra={"format": "password"})
    remember_me: bool = True
    callback_url: str | None = Field(default=None, alias="callbackURL", max_length=2048)


class Wanted(Input):
    """The name somebody would like."""

    username: str = Field(max_length=255)


class Availability(Fields):
    """Whether nobody has that name."""

    available: bool


def is_plain(username: str) -> bool:
    """Whether ``username`` has nothing but ASCII letters and digits, ``_`` and ``.``, so that
    none looks like another."""
    return _PLAIN.fullmatch(username) is not None


class UsernamePlugin(Plugin):
    """``POST /sign-in/username`` and ``POST /is-username-available``; sign-up and changes of the
    user take ``username`` and ``displayUsername``.

    A name has ``min_length`` to ``max_length`` characters that ``validator`` accepts, and is
    compared as ``normalize`` has it. ``immutable=True`` lets nobody change a name they have,
    ``enable_availability_check=False`` takes away the endpoint that tells which names are taken.
    Sign-in asks for a verified address where ``EmailPasswordPlugin`` does.
    """

    name = "Username"
    user_fields = UsernameFields

    def __init__(
        self,
        *,
        min_length: int = 3,
        max_length: int = 30,
        validator: Callable[[str], bool] = is_plain,
        normalize: Callable[[str], str] = str.lower,
        display_validator: Callable[[str], bool] | None = None,
        immutable: bool = False,
        enable_availability_check: bool = True,
    ) -> None:
        """Raises ``ConfigurationError`` for lengths that contradict each other."""
        if not 1 <= min_length <= max_length <= 255:
            raise ConfigurationError("UsernamePlugin: 1 <= min_length <= max_length <= 255")
        self.min_length = min_length
        self.max_length = max_length
        self.validator = validator
        self.normalize = normalize
        self.display_validator = display_validator
        self.immutable = immutable
        self.enable_availability_check = enable_availability_check

    def bind(self, context: Context) -> None:
        super().bind(context)
        context.users.taken["username"] = lambda: BadRequest(
            "Another user has this username", "USERNAME_IS_ALREADY_TAKEN"
        )

    def endpoints(self) -> Iterable[Endpoint]:
        for endpoint in super().endpoints():
            if endpoint.route.path != AVAILABILITY or self.enable_availability_check:
                yield endpoint

    @post("/sign-in/username", takes_credentials=True, errors=(401, 403, 422))
    async def sign_in(self, call: Call, body: SignInUsername) -> SignInResult | Challenge:
        """Begin a session with username and password.

        An unknown name and a wrong password get the same answer in the same time.
        """
        self.context.origins.check_redirect(body.callback_url, call.request, "callbackURL")
        return await sign_in_with_password(
            call,
            await self.find(self._stored(body.username)) if body.username else None,
            body.password,
            method="username",
            remember=body.remember_me,
            callback_url=body.callback_url,
            wrong=Unauthorized("Invalid username or password", "INVALID_USERNAME_OR_PASSWORD"),
        )

    @post(AVAILABILITY, errors=(422,))
    async def is_available(self, call: Call, body: Wanted) -> Availability:
        """Tell whether a username is still to be had."""
        return Availability(available=await self.find(self._stored(body.username)) is None)

    async def find(self, username: str) -> User | None:
        """The user with this (normalised) username."""
        where = {"username": username}
        return await self.context.database.find_one(User, **where)

    def _stored(self, username: str) -> str:
        """``username`` as it is stored. Raises ``Unprocessable``."""
        problem = self._problem(username)
        if problem is not None:
            raise Unprocessable(*problem)
        return self._normalized(username)

    def _problem(self, username: str) -> tuple[str, str] | None:
        """What is wrong with ``username``, as message and code."""
        text = unicodedata.normalize("NFKC", username)
        if len(text) < self.min_length:
            message = f"username: at least {self.min_length} characters"
            return message, "USERNAME_TOO_SHORT"
        if len(text) > self.max_length:
            message = f"username: at most {self.max_length} characters"
            return message, "USERNAME_TOO_LONG"
        if not self.validator(text):
            return "username: has characters it may not have", "INVALID_USERNAME"
        return None

    def _normalized(self, username: str) -> str:
        return self.normalize(unicodedata.normalize("NFKC", username))

    @on(UserCreating)
    def name_new_user(self, event: UserCreating) -> None:
        """Check the names of whoever is about to be stored; each stands in for the other."""
        user = event.user
        assert isinstance(user, UsernameFields)
        username, display = user.username, user.display_username
        if username is None and display is not None and self._problem(display) is None:
            username = display
        names = self._checked(username, display if display is not None else username)
        event.user = user.revised(names)

    @on(UserUpdating)
    def rename_user(self, event: UserUpdating) -> None:
        """Check the names that somebody is about to have instead."""
        user, changes = event.user, event.changes
        assert isinstance(user, UsernameFields)
        wanted = {key: changes[key] for key in ("username", "display_username") if key in changes}
        if wanted:
            names = self._checked(wanted.get("username"), wanted.get("display_username"))
            changes.update({key: names[key] for key in wanted})
        if self.immutable and user.username not in (None, changes.get("username", user.username)):
            raise BadRequest("The username cannot be changed", "USERNAME_IS_IMMUTABLE")

    def _checked(self, username: str | None, display: str | None) -> dict[str, str | None]:
        """Both names as they are stored. Raises ``BadRequest``."""
        if username is not None:
            problem = self._problem(username)
            if problem is not None:
                raise BadRequest(*problem)
            username = self._normalized(username)
        if display is not None and self.display_validator and not self.display_validator(display):
            raise BadRequest("displayUsername: is not allowed", "INVALID_DISPLAY_USERNAME")
        return {"username": username, "display_username": display}
