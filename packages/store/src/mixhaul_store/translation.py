"""From psycopg's errors to ours.

libpq reports failures of the connection phase as text only, so those are told apart by PostgreSQL's English messages; a
server that speaks another language there gives DatabaseUnavailable, which is true but less helpful.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
from psycopg import errors as pg

from mixhaul_store.errors import (
    AuthenticationFailed,
    DatabaseFull,
    DatabaseNotFound,
    DatabaseReadOnly,
    DatabaseUnavailable,
    Deadlock,
    LockTimeout,
    PartitionsChanged,
    PermissionDenied,
    StatementCancelled,
    StatementFailed,
    StoreError,
    TooManyConnections,
)

_CONNECT_TEXTS: tuple[tuple[re.Pattern[str], Callable[[str | None], StoreError]], ...] = (
    (re.compile(r'database "[^"]*" does not exist'), lambda where: DatabaseNotFound(where=where)),
    (
        re.compile(
            r'password authentication failed|no password supplied|role "[^"]*" does not exist|no pg_hba.conf entry'
            r"|authentication failed for user|is not permitted to log in|pg_hba.conf rejects"
        ),
        lambda where: AuthenticationFailed(where=where),
    ),
    (
        re.compile(r"too many clients|too many connections|remaining connection slots"),
        lambda where: TooManyConnections(where=where),
    ),
    (re.compile(r"session is read-only|in hot standby mode"), lambda where: DatabaseReadOnly(where=where)),
)
_CONNECT_REASONS = (
    "connection refused",
    "timeout expired",
    "name or service not known",
    "temporary failure in name resolution",
    "no route to host",
    "network is unreachable",
    "no such file or directory",
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "server closed the connection unexpectedly",
    "connection reset by peer",
    "certificate verify failed",
    "does not support ssl",
)


def translate(error: psycopg.Error, *, where: str | None = None) -> StoreError:
    """The error of ours that says the same. `where` is what `urls.shown` gives: host, port and database."""
    match error:
        case pg.ReadOnlySqlTransaction():
            return DatabaseReadOnly(where=where)
        case pg.DiskFull():
            return DatabaseFull(where=where)
        case pg.TooManyConnections():
            return TooManyConnections(where=where)
        case pg.LockNotAvailable():
            return LockTimeout()
        case pg.DeadlockDetected() | pg.SerializationFailure():
            return Deadlock()
        case pg.QueryCanceled():
            return StatementCancelled()
        case pg.IdleInTransactionSessionTimeout():
            return DatabaseUnavailable("the session stood still inside of a transaction for too long", where=where)
        case pg.CheckViolation() if error.diag.constraint_name is None:
            # A constraint of ours has a name; what has none is the bound of a partition.
            return PartitionsChanged()
        case pg.InsufficientPrivilege():
            return PermissionDenied(error.diag.message_primary or "no privilege")
        case pg.InvalidCatalogName():
            return DatabaseNotFound(where=where)
        case pg.InvalidPassword() | pg.InvalidAuthorizationSpecification():
            return AuthenticationFailed(where=where)
    sqlstate = error.sqlstate
    if sqlstate is not None:
        if sqlstate[:2] in ("08", "53", "57", "58"):
            return DatabaseUnavailable(_words(type(error).__name__), where=where)
        return StatementFailed(sqlstate, _words(type(error).__name__))
    if isinstance(error, psycopg.OperationalError):
        return _connect_error(str(error), where)
    return StatementFailed(None, _words(type(error).__name__))


def _connect_error(text: str, where: str | None) -> StoreError:
    for pattern, kind in _CONNECT_TEXTS:
        if pattern.search(text):
            return kind(where)
    return DatabaseUnavailable(reason_of(text), where=where)


def reason_of(text: str) -> str:
    """What libpq's text says, by a list of known reasons: the text itself may repeat parts of a URL."""
    lowered = text.lower()
    return next((reason for reason in _CONNECT_REASONS if reason in lowered), "the connection failed")


def _words(name: str) -> str:
    """AdminShutdown -> admin shutdown."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
