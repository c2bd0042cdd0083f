"""How the programs end: each kind of trouble has an exit code of its own, and every message is one sentence.

    IngestorError
     +- MissingEncryptionKeys     78
     +- SourceNotFound            64
     +- Interrupted               143
     +- NoManifest                64
     +- ManifestNotGiven          78
     +- NobodyLeads               71
     +- NothingToVerify           64
     +- EventsMissing             82
     +- VerificationFailed        83
     +- RetentionFailed           84
     +- NothingToBackfill         64
     +- BackfillIncomplete        85
     +- those of a cluster             see `mixhaul_ingestor.kubernetes.errors`

| code | trouble |
|---|---|
| 0 | done |
| 1 | a defect, with a traceback in the log |
| 2 | wrong options |
| 64 | no manifest, or no such source in it |
| 65-67, 78, 80, 81 | the manifest, a setting or a Secret: see `mixhaul_source.errors` |
| 69 | a port is taken |
| 70 | the API server does not do what it should |
| 71 | nobody leads, so that nobody does what was asked for |
| 73 | the data folder can't be used |
| 74 | the database can't be reached or used |
| 75 | MiX can't be reached; it may later |
| 76 | the database's schema is newer or older than the program, or the server is too old |
| 77 | MiX refuses the credentials |
| 79 | MiX refuses an organisation or a request, or another source owns the organisation |
| 82 | `verify` found events that are missing and could not be filled |
| 83 | `verify` could not compare everything |
| 84 | `retention` could not let everything go |
| 85 | `backfill` could not read everything |
| 143 | ended by a signal before everything was done |
"""

from __future__ import annotations

from mixhaul_mix.errors import CredentialsRejected, MixError, TransientMixError
from mixhaul_runtime.errors import RuntimeFailure
from mixhaul_source.errors import ManifestError
from mixhaul_store.errors import (
    DataDirectoryInUse,
    DataDirectoryNotOurs,
    DataDirectoryUnreachable,
    InvalidKeyFile,
    MissingExtension,
    OrganisationClaimed,
    SchemaTooNew,
    SchemaTooOld,
    StoreError,
    UnsupportedServer,
)


class IngestorError(Exception):
    """Something that a person must change before the program can go on."""

    exit_code = 78


class MissingEncryptionKeys(IngestorError):
    """MIXHAUL_DATABASE_URL is set, MIXHAUL_ENCRYPTION_KEYS_FILE is not."""

    def __init__(self) -> None:
        super().__init__(
            "MIXHAUL_DATABASE_URL is set, but MIXHAUL_ENCRYPTION_KEYS_FILE is not: MiX's tokens are stored encrypted. "
            "Make a key with `mixhaul-ingestor make-key FILE` and name the file there."
        )


class SourceNotFound(IngestorError):
    """The manifest has no source of this name."""

    exit_code = 64

    def __init__(self, name: str, known: list[str]) -> None:
        self.name, self.known = name, known
        super().__init__(f"There is no MixSource {name!r} in the manifest; it has: {', '.join(known) or 'none'}.")


class NoManifest(IngestorError):
    """Neither a manifest nor a cluster."""

    exit_code = 64

    def __init__(self) -> None:
        super().__init__(
            "There is nothing that says what to haul: name a manifest with --manifest, or say --kubernetes to use the "
            "cluster of your kubeconfig. In a pod, its own cluster is used."
        )


class ManifestNotGiven(IngestorError):
    """--manifest-env, and the variable is not there."""

    def __init__(self, variable: str) -> None:
        self.variable = variable
        super().__init__(f"{variable} is not set: --manifest-env reads the MixSource from it, as the operator sets it.")


class Interrupted(IngestorError):
    """A signal came before a command was done."""

    exit_code = 143

    def __init__(self) -> None:
        super().__init__("Ended by a signal before everything was done. What was stored stays; run it again.")


class NobodyLeads(IngestorError):
    """Work was asked for, and nobody is there to do it."""

    exit_code = 71

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(
            f"Nobody has begun to {kind}: is `mixhaul-ingestor stream` running? With --manifest it is done here. "
            "What was asked for is kept."
        )


class NothingToVerify(IngestorError):
    """No source, or none that has the organisation."""

    exit_code = 64

    def __init__(self) -> None:
        super().__init__(
            "There is nothing to verify: no source that is not suspended has such an organisation. "
            "See `mixhaul-ingestor status`."
        )


class EventsMissing(IngestorError):
    """A verification found events that could not be stored."""

    exit_code = 82

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"MiX has {number:,} events that are not stored here and could not be; see the log.")


class RetentionFailed(IngestorError):
    """The leader could not let everything go."""

    exit_code = 84

    def __init__(self, why: str) -> None:
        super().__init__(f"Not everything that has outlived its retention is gone: {why}")


class VerificationFailed(IngestorError):
    """Some days could not be compared."""

    exit_code = 83

    def __init__(self, why: str) -> None:
        super().__init__(f"Not everything could be compared: {why}")


class NothingToBackfill(IngestorError):
    """No source, none that has the organisation, or an interval that lies in the future."""

    exit_code = 64

    def __init__(self) -> None:
        super().__init__(
            "There is nothing to backfill: no source that is not suspended has such an organisation, or the interval "
            "lies in the future. See `mixhaul-ingestor status`."
        )


class BackfillIncomplete(IngestorError):
    """A part of the interval could not be read."""

    exit_code = 85

    def __init__(self, why: str) -> None:
        super().__init__(f"Not everything could be read; run it again for the rest. {why}")


def exit_code(error: BaseException) -> int | None:
    """The exit code of a known trouble; None for a defect."""
    match error:
        case IngestorError() | RuntimeFailure() | ManifestError():
            return error.exit_code
        case InvalidKeyFile():
            return 78
        case CredentialsRejected():
            return 77
        case TransientMixError():
            return 75
        case MixError() | OrganisationClaimed():
            return 79
        case SchemaTooNew() | SchemaTooOld() | UnsupportedServer() | MissingExtension():
            return 76
        case DataDirectoryInUse() | DataDirectoryNotOurs() | DataDirectoryUnreachable():
            return 73
        case StoreError():
            return 74
        case _:
            return None
