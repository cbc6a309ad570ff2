"""Databases: the verbs every one of them answers, and the ones that come with the library."""

from better_auth.adapters.base import (
    Condition,
    DatabaseAdapter,
    Verbs,
    contains,
    ends_with,
    ge,
    gt,
    in_,
    le,
    lt,
    ne,
    starts_with,
)
from better_auth.adapters.memory import MemoryDatabaseAdapter
from better_auth.adapters.session_cache import CacheStatistics, SessionCache
from better_auth.adapters.sql import SqlDatabaseAdapter

__all__ = [
    "CacheStatistics",
    "Condition",
    "DatabaseAdapter",
    "MemoryDatabaseAdapter",
    "SessionCache",
    "SqlDatabaseAdapter",
    "Verbs",
    "contains",
    "ends_with",
    "ge",
    "gt",
    "in_",
    "le",
    "lt",
    "ne",
    "starts_with",
]
