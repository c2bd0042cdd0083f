"""psycopg's errors and what they become."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors as pg

from mixhaul_store import errors
from mixhaul_store.translation import translate


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(pg.ReadOnlySqlTransaction(), errors.DatabaseReadOnly, id="read-only"),
        pytest.param(pg.DiskFull(), errors.DatabaseFull, id="disk full"),
        pytest.param(pg.TooManyConnections(), errors.TooManyConnections, id="too many connections"),
        pytest.param(pg.LockNotAvailable(), errors.LockTimeout, id="lock time-out"),
        pytest.param(pg.DeadlockDetected(), errors.Deadlock, id="deadlock"),
        pytest.param(pg.SerializationFailure(), errors.Deadlock, id="serialization"),
        pytest.param(pg.QueryCanceled(), errors.StatementCancelled, id="statement time-out"),
        pytest.param(pg.InsufficientPrivilege(), errors.PermissionDenied, id="privilege"),
        pytest.param(pg.InvalidCatalogName(), errors.DatabaseNotFound, id="no database"),
        pytest.param(pg.InvalidPassword(), errors.AuthenticationFailed, id="password"),
        pytest.param(pg.AdminShutdown(), errors.DatabaseUnavailable, id="shutdown"),
        pytest.param(pg.CrashShutdown(), errors.DatabaseUnavailable, id="crash"),
        pytest.param(pg.CannotConnectNow(), errors.DatabaseUnavailable, id="starting"),
        pytest.param(pg.IdleInTransactionSessionTimeout(), errors.DatabaseUnavailable, id="idle in transaction"),
        pytest.param(pg.OutOfMemory(), errors.DatabaseUnavailable, id="out of memory"),
        pytest.param(pg.IoError(), errors.DatabaseUnavailable, id="broken disk"),
        pytest.param(pg.UndefinedColumn(), errors.StatementFailed, id="defect"),
        pytest.param(pg.UniqueViolation(), errors.StatementFailed, id="constraint"),
        pytest.param(pg.DataCorrupted(), errors.StatementFailed, id="corrupted"),
        pytest.param(psycopg.InterfaceError("closed"), errors.StatementFailed, id="interface"),
        pytest.param(psycopg.OperationalError("the connection is lost"), errors.DatabaseUnavailable, id="lost"),
    ],
)
def test_each_kind_has_a_type(error: psycopg.Error, kind: type[errors.StoreError]) -> None:
    assert type(translate(error, where="h:1/d")) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('FATAL:  password authentication failed for user "u"', errors.AuthenticationFailed),
        ('FATAL:  role "u" does not exist', errors.AuthenticationFailed),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d"', errors.AuthenticationFailed),
        ("fe_sendauth: no password supplied", errors.AuthenticationFailed),
        ('FATAL:  database "d" does not exist', errors.DatabaseNotFound),
        ("FATAL:  sorry, too many clients already", errors.TooManyConnections),
        ("FATAL:  remaining connection slots are reserved for roles with SUPERUSER", errors.TooManyConnections),
        ("session is read-only", errors.DatabaseReadOnly),
        ("connection refused", errors.DatabaseUnavailable),
        ("FATAL:  the database system is starting up", errors.DatabaseUnavailable),
    ],
)
def test_texts_of_the_connection_phase(text: str, kind: type[errors.StoreError]) -> None:
    error = psycopg.OperationalError(f'connection failed: connection to server at "1.2.3.4", port 5432 failed: {text}')
    assert type(translate(error, where="h:1/d")) is kind


def test_an_unknown_text_is_not_repeated() -> None:
    error = translate(psycopg.OperationalError("failed to resolve host 's3cret'"), where="h:1/d")
    assert str(error) == (
        "PostgreSQL at h:1/d can't be reached (the connection failed): "
        "check that it runs and that MIXHAUL_DATABASE_URL names it"
    )


def test_the_tree_says_what_may_be_tried_again() -> None:
    leaves = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.StoreError) and not kind.__subclasses__()
    ]
    for kind in leaves:
        assert issubclass(kind, errors.TransientStoreError) != issubclass(kind, errors.TerminalStoreError), kind
        assert kind.__name__ in (errors.__doc__ or ""), f"{kind.__name__} is not in the tree"
