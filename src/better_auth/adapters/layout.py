"""How records lie in a database: what their tables are called, and whether those are shared.

A database made by better-auth in TypeScript has tables that nearly fit ours. What differs is
written down here: its names, which columns its rows always have, and what it keeps unique.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from better_auth.names import Names


@dataclass(frozen=True, slots=True)
class SharedTables:
    """Tables that another program's server made, and writes to as well."""

    always: Mapping[str, frozenset[str]]
    """Its tables by record, each with the fields that its rows always have; whatever else a
    record holds may be missing there."""
    unique: frozenset[str]
    """``table.field`` by which a row is found and which no two rows share, as it has it too."""
    repeated: frozenset[str]
    """``table.field`` that it may write twice, where we would not."""
    instead: Mapping[str, Any]
    """``table.field``: what a missing value means, where the record has no default for it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How records lie in a database."""

    names: Names = field(default_factory=Names)
    shared: SharedTables | None = None

    def is_shared(self, record: str) -> bool:
        """Whether the table of this record is another program's as well."""
        return self.shared is not None and record in self.shared.always

    def may_be_missing(self, record: str, field: str) -> bool:
        """Whether rows may be there that another program wrote and that lack ``field``."""
        return (
            self.shared is not None
            and record in self.shared.always
            and field not in self.shared.always[record]
        )

    def is_repeated(self, record: str, field: str) -> bool:
        """Whether another program writes rows that are not unique in ``field``."""
        return self.shared is not None and f"{record}.{field}" in self.shared.repeated

    def is_inline_unique(self, record: str, field: str) -> bool:
        """Whether uniqueness is the table's own affair instead of an index with a name."""
        return self.shared is not None and f"{record}.{field}" in self.shared.unique

    def instead(self, record: str, field: str) -> Any:
        """What a missing value of ``field`` means; None: nothing is known of it."""
        return None if self.shared is None else self.shared.instead.get(f"{record}.{field}")


_COLUMNS = {"session.token_key": "token", "account.password_hash": "password"}

_ALWAYS = {
    "user": "id name email email_verified created_at updated_at",
    "session": "id expires_at token_key created_at updated_at user_id",
    "account": "id account_id provider_id user_id created_at updated_at",
    "verification": "id identifier value expires_at created_at updated_at",
    "organization": "id name slug created_at",
    "member": "id organization_id user_id role created_at",
    "invitation": "id organization_id email status expires_at created_at inviter_id",
}

TYPESCRIPT = SharedTables(
    always={record: frozenset(fields.split()) for record, fields in _ALWAYS.items()},
    unique=frozenset({"user.email", "user.username", "session.token_key", "organization.slug"}),
    repeated=frozenset({"verification.identifier"}),
    instead={"invitation.role": "member"},
)
"""The tables of better-auth 1.7 in TypeScript."""


def layout_for(names: Names, *, with_typescript: bool) -> Layout:
    """Our own layout, or that of a database shared with the server in TypeScript; with these
    names, where any are given."""
    if not with_typescript:
        return Layout(names)
    style = names.style if "style" in names.model_fields_set else "camelCase"
    changes = {"style": style, "columns": {**_COLUMNS, **names.columns}}
    return Layout(names.model_copy(update=changes), TYPESCRIPT)
