"""What may go wrong between us and PostgreSQL, as types.

    StoreError
     +- TransientStoreError          trying again later may help, without a person
     |   +- DatabaseUnavailable      refused, unresolved, timed out, shut down, cut off
     |   +- DatabaseReadOnly         a standby, or default_transaction_read_only
     |   +- DatabaseFull             no disk space left
     |   +- TooManyConnections       the server's limit
     |   +- PoolExhausted            our own limit
     |   +- LockTimeout, Deadlock, StatementCancelled
     |   +- PartitionsChanged        the month of a row got its partition while the statement ran
     |   +- CommitUnknown            COMMIT was sent, its answer never came
     |   +- DeletionUnderWay         the organisation's data is just being deleted
     |   +- SchemaTooOld             the migration has not run yet: a pod waits
     +- TerminalStoreError           trying again changes nothing
         +- SchemaTooNew, UnsupportedServer, UnsupportedEncoding, MissingExtension
         +- PermissionDenied, DatabaseNotFound, AuthenticationFailed, InvalidDatabaseUrl
         +- OrganisationClaimed, StaleEpoch, CursorMoved, DecryptionFailed, InvalidKeyFile
         +- DataDirectoryInUse, DataDirectoryNotOurs, DataDirectoryUnreachable, DataDirectoryOtherVersion
         +- EmbeddedServerFailed
         +- StatementFailed          anything else: a defect of ours, or data that PostgreSQL refuses

Sentences name the host and the database, never a password, and never a value of a row: PostgreSQL's own texts are used
only where they can't hold one.
"""

from __future__ import annotations

from pathlib import Path


class StoreError(Exception):
    """Base of all of them."""


class TransientStoreError(StoreError):
    """Trying again later may help."""


class TerminalStoreError(StoreError):
    """A person, another program or a later step has to change something first."""


class DatabaseUnavailable(TransientStoreError):
    """No connection, or it broke."""

    def __init__(self, reason: str, *, where: str | None = None) -> None:
        self.reason = reason
        self.where = where
        super().__init__(
            f"{_server(where)} can't be reached ({reason}): check that it runs and that MIXHAUL_DATABASE_URL names it"
        )


class DatabaseReadOnly(TransientStoreError):
    """Writes are refused."""

    def __init__(self, *, where: str | None = None) -> None:
        self.where = where
        super().__init__(
            f"{_server(where)} is read-only: MIXHAUL_DATABASE_URL must name the primary (with several hosts, add "
            "target_session_attrs=read-write), and default_transaction_read_only must be off"
        )


class DatabaseFull(TransientStoreError):
    """No space left."""

    def __init__(self, *, where: str | None = None) -> None:
        self.where = where
        super().__init__(
            f"{_server(where)} has no disk space left: make room; nothing is lost, the work goes on by itself"
        )


class TooManyConnections(TransientStoreError):
    """The server's max_connections is reached."""

    def __init__(self, *, where: str | None = None) -> None:
        self.where = where
        super().__init__(f"{_server(where)} accepts no more connections: raise max_connections, or run fewer replicas")


class PoolExhausted(TransientStoreError):
    """All connections of this process are busy."""

    def __init__(self, *, size: int, seconds: float) -> None:
        self.size = size
        self.seconds = seconds
        super().__init__(f"all {size} database connections of this process were busy for {seconds:g} s")


class LockTimeout(TransientStoreError):
    """Another transaction held what this one needs."""

    def __init__(self) -> None:
        super().__init__("another transaction held a lock for too long; tried again later")


class Deadlock(TransientStoreError):
    """PostgreSQL chose this transaction to give way."""

    def __init__(self) -> None:
        super().__init__("two transactions waited for each other and this one gave way; tried again later")


class StatementCancelled(TransientStoreError):
    """statement_timeout, or a cancel request."""

    def __init__(self) -> None:
        super().__init__("a statement took longer than allowed, or an administrator cancelled it; tried again later")


class PartitionsChanged(TransientStoreError):
    """A row was on its way to the DEFAULT partition when its month got one of its own."""

    def __init__(self) -> None:
        super().__init__("the partitions changed while a statement ran, and it was undone; tried again later")


class CommitUnknown(TransientStoreError):
    """Only a look at the database tells whether the transaction was committed."""

    def __init__(self) -> None:
        super().__init__(
            "the connection broke while COMMIT was under way: whether it was done is read from the database"
        )


class DeletionUnderWay(TransientStoreError):
    """The data of an organisation is being deleted, as its former source wanted."""

    def __init__(self, organisation: int) -> None:
        self.organisation = organisation
        super().__init__(
            f"the data of organisation {organisation} is just being deleted with its former source; tried again later"
        )


class SchemaTooOld(TransientStoreError):
    """The schema is older than this program, or there is none."""

    def __init__(self, *, found: str | None, wanted: str) -> None:
        self.found = found
        self.wanted = wanted
        has = f"is at {found}" if found else "has no schema of Mixhaul"
        super().__init__(f"the database {has} and this program needs {wanted}: run `mixhaul-ingestor migrate`")


class SchemaTooNew(TerminalStoreError):
    """A newer version has migrated the database."""

    def __init__(self, *, found: str, wanted: str) -> None:
        self.found = found
        self.wanted = wanted
        super().__init__(
            f"the database's schema is at {found}, which is newer than this program's {wanted}: "
            "run the version of Mixhaul that migrated it, or a later one"
        )


class UnsupportedServer(TerminalStoreError):
    """Older than PostgreSQL 15."""

    def __init__(self, version: str, *, where: str | None = None) -> None:
        self.version = version
        self.where = where
        super().__init__(f"{_server(where)} is version {version}: Mixhaul needs PostgreSQL 15 or later")


class UnsupportedEncoding(TerminalStoreError):
    """Not UTF-8."""

    def __init__(self, encoding: str, *, where: str | None = None) -> None:
        self.encoding = encoding
        self.where = where
        super().__init__(
            f"{_server(where)} holds text as {encoding}: create the database with ENCODING 'UTF8' TEMPLATE template0"
        )


class MissingExtension(TerminalStoreError):
    """The server lacks files of an extension."""

    def __init__(self, names: tuple[str, ...], *, where: str | None = None) -> None:
        self.names = names
        self.where = where
        super().__init__(
            f"{_server(where)} lacks {' and '.join(names)}: install PostgreSQL's contrib package on the server"
        )


class PermissionDenied(TerminalStoreError):
    """The role may not do that. `what` is PostgreSQL's own text, which names the object."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"the database refuses this role ({what}): `mixhaul-ingestor migrate` as the owner grants what "
            "mixhaul_writer, mixhaul_api and mixhaul_operator need"
        )


class DatabaseNotFound(TerminalStoreError):
    """The server is there, the database isn't."""

    def __init__(self, *, where: str | None = None) -> None:
        self.where = where
        super().__init__(f"{_server(where)} has no such database: create it, or correct MIXHAUL_DATABASE_URL")


class AuthenticationFailed(TerminalStoreError):
    """Wrong password, unknown role, or refused by pg_hba.conf."""

    def __init__(self, *, where: str | None = None) -> None:
        self.where = where
        super().__init__(
            f"{_server(where)} refused the login: check user and password in MIXHAUL_DATABASE_URL, "
            "and the server's pg_hba.conf"
        )


class InvalidDatabaseUrl(TerminalStoreError):
    """It can't be parsed, or not in one way only. It is not shown, because it may hold a password."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"MIXHAUL_DATABASE_URL {problem}: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with each of "
            "@ : / ? # % in user and password percent-encoded"
        )


class OrganisationClaimed(TerminalStoreError):
    """Another source owns the organisation."""

    def __init__(self, owner: str, organisation: int, api_url: str) -> None:
        self.owner = owner
        self.organisation = organisation
        self.api_url = api_url
        super().__init__(
            f"organisation {organisation} at {api_url} is hauled by the source {owner} already: "
            "take it out of one of the two sources"
        )


class StaleEpoch(TerminalStoreError):
    """Another process leads now; nothing of this transaction was written."""

    def __init__(self, lease: str, epoch: int) -> None:
        self.lease = lease
        self.epoch = epoch
        super().__init__(f"epoch {epoch} of {lease} is over: another process leads, and nothing was written")


class CursorMoved(TerminalStoreError):
    """The cursor is not where this page began; nothing of it was written."""

    def __init__(self, organisation_id: int, feed: str) -> None:
        self.organisation_id = organisation_id
        self.feed = feed
        super().__init__(
            f"the cursor of {feed} (organisation {organisation_id}) is not where this page began: nothing was written"
        )


class DecryptionFailed(TerminalStoreError):
    """None of the keys opens a stored token."""

    def __init__(self) -> None:
        super().__init__(
            "a stored token can't be decrypted: MIXHAUL_ENCRYPTION_KEYS_FILE lacks the key that it was written with"
        )


class InvalidKeyFile(TerminalStoreError):
    """The file with the encryption keys can't be used. No line of it is shown."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"the file with the encryption keys {path} {reason}: "
            "make one with `mixhaul-ingestor make-key` and name it in MIXHAUL_ENCRYPTION_KEYS_FILE"
        )


class DataDirectoryInUse(TerminalStoreError):
    """Another process starts, stops or keeps a server there and doesn't share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"the data folder {path} is in use by another process: stop that one, or set MIXHAUL_DATA_DIR to another"
        )


class DataDirectoryNotOurs(TerminalStoreError):
    """It belongs to someone else or holds something else."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the data folder {path} {reason}: set MIXHAUL_DATA_DIR to a folder of your own")


class DataDirectoryUnreachable(TerminalStoreError):
    """It can't be made, or the user that the server runs as can't get there."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"the data folder {path} can't be used ({reason}): set MIXHAUL_DATA_DIR to a folder that can be written "
            "and whose parents may be entered, such as one below /var/lib"
        )


class DataDirectoryOtherVersion(TerminalStoreError):
    """PostgreSQL does not read the files of another major version."""

    def __init__(self, path: Path, *, found: str, wanted: str) -> None:
        self.path = path
        self.found = found
        self.wanted = wanted
        super().__init__(
            f"the data folder {path} was made by PostgreSQL {found}, and this one is {wanted}: move the data with "
            "pg_dump and pg_restore, or set MIXHAUL_DATA_DIR to a new folder"
        )


class EmbeddedServerFailed(TerminalStoreError):
    """The embedded server did not start. `reason` is the last of its log."""

    def __init__(self, reason: str, *, log: Path) -> None:
        self.reason = reason
        self.log = log
        super().__init__(f"the embedded PostgreSQL did not start ({reason}); its log is {log}")


class StatementFailed(TerminalStoreError):
    """A statement that PostgreSQL refuses for a reason of its own; `sqlstate` says which."""

    def __init__(self, sqlstate: str | None, kind: str) -> None:
        self.sqlstate = sqlstate
        self.kind = kind
        super().__init__(f"PostgreSQL refused a statement: {kind} (SQLSTATE {sqlstate or 'unknown'})")


def _server(where: str | None) -> str:
    return f"PostgreSQL at {where}" if where else "PostgreSQL"
