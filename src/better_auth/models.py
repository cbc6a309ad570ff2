"""The records: what a user, a session, an account and a verification are.

A record is declared once. Its fields are the columns of its table (``adapters/schema.py`` reads
them), its camelCase aliases are the wire (``http/wire`` writes them), and its instances are
what every layer between the two handles. Records are frozen: a change is a new record
(:meth:`Record.revised`) and a statement to the database, never an assignment.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, Protocol, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import TypeVar

from better_auth.clock import UtcDatetime


@dataclass(frozen=True, slots=True)
class Column:
    """What the database must know of a field beyond its type; an ``Annotated`` marker.

    ``stored=False`` keeps the field out of the table. ``references`` names another record's
    table (its ``id`` is meant, and its deletion deletes this row).
    """

    unique: bool = False
    index: bool = False
    length: int | None = None
    references: str | None = None
    stored: bool = True


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """Marks a field of a user's own ``User`` that no client may set (OpenAPI ``readOnly``)."""


@dataclass(frozen=True, slots=True)
class Settable:
    """Marks a field that a plugin adds to users and that a user may set: at sign-up, and of
    themselves later."""


class Fields(BaseModel):
    """The ground of records and of the field sets plugins add to them."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True
    )

    @classmethod
    def trusted(cls, values: dict[str, Any]) -> Self:
        """An instance of ``values`` known to be complete and valid (a row our schema wrote).

        Takes ownership of ``values``. Nothing is validated, which makes this several times
        faster than the constructor; what comes from outside goes through the constructor.
        """
        record = cls.__new__(cls)
        set_slot = object.__setattr__
        set_slot(record, "__dict__", values)
        set_slot(record, "__pydantic_fields_set__", _ALL_SET)
        set_slot(record, "__pydantic_extra__", None)
        set_slot(record, "__pydantic_private__", None)
        return record


class Record(Fields):
    """A row of one table, typed.

    Subclasses name their table in ``table_name``; fields with ``Field(exclude=True)`` are stored
    and never leave the process.
    """

    table_name: ClassVar[str]
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = ()

    id: Annotated[str, Column(length=64)] = Field(default_factory=lambda: str(uuid4()))

    def revised(self, changes: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """A copy with ``changes`` and ``more`` (by Python field names) in place, unvalidated."""
        values = {**self.__dict__, **(changes or {}), **more}
        values.pop(RENDERED, None)
        return self.trusted(values)


RENDERED = "<rendered>"
"""Where a record of plain values, which never change, keeps its JSON text once it was written."""

_ALL_SET: set[str] = set()
"""Shared by trusted records: which fields were 'set' means nothing for a row."""


class User(Record):
    """A person who can sign in. Subclass it to add your own fields; see ``BetterAuth``.

    ``email`` is stored normalised (NFKC, lower case), so equality is identity.
    """

    table_name: ClassVar[str] = "user"

    name: Annotated[str, Column(length=255)]
    email: Annotated[str, Column(unique=True, length=320)]
    email_verified: bool = False
    image: Annotated[str | None, Column(length=2048)] = None
    created_at: UtcDatetime
    updated_at: UtcDatetime


AuthUser = User
"""The name the session page gives the user record."""


class Session(Record):
    """One sign-in on one device.

    ``token`` is the secret the client holds; it is not a column. The row keeps ``token_key``,
    by which it is found, and where listings show tokens ``sealed_token``. The session's whole
    policy is in its row: ``remember`` (False: a browser-session cookie, never extended),
    ``ends_at`` (no refresh goes past it; None: no absolute end) and ``authenticated_at`` (when
    credentials were last proven; what "fresh" is measured from).
    """

    table_name: ClassVar[str] = "session"

    token: Annotated[str, Column(stored=False)] = Field(default="", repr=False)
    user_id: Annotated[str, Column(index=True, length=64, references="user")]
    expires_at: Annotated[UtcDatetime, Column(index=True)]
    created_at: UtcDatetime
    updated_at: UtcDatetime
    ip_address: Annotated[str | None, Column(length=64)] = None
    user_agent: Annotated[str | None, Column(length=512)] = None
    token_key: Annotated[str, Column(unique=True, length=255)] = Field(exclude=True, repr=False)
    sealed_token: Annotated[str | None, Column(length=512)] = Field(
        default=None, exclude=True, repr=False
    )
    remember: bool = Field(default=True, exclude=True)
    ends_at: UtcDatetime | None = Field(default=None, exclude=True)
    authenticated_at: UtcDatetime = Field(exclude=True)


def impersonator(session: Session) -> str | None:
    """The id of the admin behind an impersonated session; None for everybody's own."""
    by: str | None = session.__dict__.get(
        "impersonated_by"
    )  # a model's own way takes 20 times this
    return by


class Account(Record):
    """One way of signing in that belongs to a user; ``credential`` is e-mail and password.

    Of an account at a provider the row may keep the provider's tokens, sealed, and the scopes that
    were granted, separated by commas.
    """

    table_name: ClassVar[str] = "account"
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("provider_id", "account_id"),)

    user_id: Annotated[str, Column(index=True, length=64, references="user")]
    provider_id: Annotated[str, Column(length=64)]
    account_id: Annotated[str, Column(length=255)]
    password_hash: Annotated[str | None, Column(length=512)] = Field(
        default=None, exclude=True, repr=False
    )
    access_token: str | None = Field(default=None, exclude=True, repr=False)
    refresh_token: str | None = Field(default=None, exclude=True, repr=False)
    id_token: str | None = Field(default=None, exclude=True, repr=False)
    access_token_expires_at: UtcDatetime | None = Field(default=None, exclude=True)
    refresh_token_expires_at: UtcDatetime | None = Field(default=None, exclude=True)
    scope: str | None = Field(default=None, exclude=True)
    created_at: UtcDatetime
    updated_at: UtcDatetime


class Verification(Record):
    """Something that may be proven once before ``expires_at``: a link, a code, a challenge."""

    table_name: ClassVar[str] = "verification"

    identifier: Annotated[str, Column(unique=True, length=255)]
    value: str = Field(exclude=True, repr=False)
    expires_at: Annotated[UtcDatetime, Column(index=True)]
    created_at: UtcDatetime
    updated_at: UtcDatetime


UserT = TypeVar("UserT", bound=User, default=User)


_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Found:
    """A session and its user, as one read of the database found them.

    Whoever remembers what was found hands out the same again. So the session manager notes here
    who holds the session, and until when that can be said without asking anybody: at every other
    check these two are all of it that is touched.
    """

    session: "Session"
    user: "User"
    holder: "Principal | None" = field(default=None, repr=False, compare=False)
    holds_until: datetime = field(default=_NEVER, repr=False, compare=False)

    def copied(self) -> "Found":
        """The same in records of its own, whatever they hold, and nobody's yet."""
        return Found(self.session.model_copy(deep=True), self.user.model_copy(deep=True))


class Endings(Protocol):
    """Who knows when a session ends: the session manager."""

    def until_ended(self, session: Session) -> Awaitable[None]:
        """Done when ``session`` has been revoked or has expired."""
        ...


@dataclass(frozen=True, slots=True)
class Principal(Generic[UserT]):
    """Who is asking: a live session and its user, as one resolver answers it to every door.

    Requests share it, as they share its records, for as long as nothing changes.

    ``refreshed`` says that this very resolution moved ``session.expires_at``; a door that was
    given the token by cookie then sends the cookie again. ``answers`` are what endpoints answered
    this principal, where that follows from session and user alone (``Endpoint.lasting``).
    """

    session: Session
    user: UserT
    refreshed: bool = False
    endings: Endings | None = field(default=None, repr=False, compare=False)
    answers: dict[object, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def revoked(self) -> Awaitable[None]:
        """To be awaited: done when the session has been revoked, anywhere, or has expired.

        For what stays open longer than a request, a WebSocket or a stream, so that signing a
        device out closes what it has open. A new token for the same session ends nothing. Raises
        ``RuntimeError`` for a principal that no session manager made.
        """
        if self.endings is None:
            raise RuntimeError("this principal was made by hand; nobody watches its session")
        return self.endings.until_ended(self.session)
