"""The conditions of a MixSource and all reasons that each may have.

The one list of them: the operator takes its words from here, and the documentation its tables. A reason is never
reused for another meaning. Which one applies is decided elsewhere, from spec, Secret, Job and progress.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ConditionType(StrEnum):
    """What a condition is about."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    CREDENTIALS_VALID = "CredentialsValid"
    SYNCED = "Synced"
    FRESH = "Fresh"
    CAUGHT_UP = "CaughtUp"


class Reason(StrEnum):
    """Why a condition has its status."""

    # Ready
    ALL_WELL = "AllWell"
    SUSPENDED = "Suspended"
    NOT_READY_YET = "NotReadyYet"
    # Reconciling, Stalled
    UP_TO_DATE = "UpToDate"
    PROGRESSING = "Progressing"
    DELETING = "Deleting"
    NOT_STALLED = "NotStalled"
    INVALID_SPEC = "InvalidSpec"
    FOREIGN_CRON_JOB = "ForeignCronJob"
    POD_TEMPLATE_MISSING = "PodTemplateMissing"
    # CredentialsValid
    LOGIN_SUCCEEDED = "LoginSucceeded"
    LOGIN_PENDING = "LoginPending"
    LOGIN_REFUSED = "LoginRefused"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 - the name of a reason
    SECRET_INCOMPLETE = "SecretIncomplete"  # noqa: S105 - the name of a reason
    ORGANISATION_FORBIDDEN = "OrganisationForbidden"
    # Synced
    SYNC_SUCCEEDED = "SyncSucceeded"
    SYNC_PENDING = "SyncPending"
    SYNC_FAILED = "SyncFailed"
    SYNC_OVERDUE = "SyncOverdue"
    SHORT_LIST = "ShortList"
    ORGANISATION_CLAIMED = "OrganisationClaimed"
    # Fresh, CaughtUp
    WITHIN_LIMIT = "WithinLimit"
    LAGGING = "Lagging"
    NOT_POLLED = "NotPolled"
    PAGE_REFUSED = "PageRefused"
    CURSOR_EXPIRING = "CursorExpiring"
    CURSOR_EXPIRED = "CursorExpired"
    UPSTREAM_UNAVAILABLE = "UpstreamUnavailable"
    UPSTREAM_THROTTLED = "UpstreamThrottled"
    NO_MORE_ITEMS = "NoMoreItems"
    MORE_ITEMS = "MoreItems"
    GAP_OPEN = "GapOpen"
    EVENTS_MISSING = "EventsMissing"
    # any of them
    DATABASE_UNAVAILABLE = "DatabaseUnavailable"
    SCHEMA_TOO_OLD = "SchemaTooOld"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A reason under one condition: the status that it comes with, and what it tells a person."""

    status: str
    text: str


@dataclass(frozen=True, slots=True)
class Described:
    """A condition as the documentation shows it."""

    text: str
    reasons: dict[Reason, Meaning]


def _unknown(*more: tuple[Reason, str]) -> dict[Reason, Meaning]:
    """What every condition that rests on the database's progress may say."""
    found = {
        Reason.DATABASE_UNAVAILABLE: Meaning("Unknown", "The database can't be asked; the last state is not known."),
        Reason.SCHEMA_TOO_OLD: Meaning("Unknown", "The database waits for its migration."),
    }
    return found | {reason: Meaning("Unknown", text) for reason, text in more}


_SUSPENDED: Final = Meaning("False", "spec.suspend is true: neither sync nor stream run.")

CONDITIONS: Final[dict[ConditionType, Described]] = {
    ConditionType.READY: Described(
        "Sums up the others: the data of this source is being hauled and is fresh.",
        {
            Reason.ALL_WELL: Meaning("True", "Every other condition is as it should be."),
            Reason.SUSPENDED: _SUSPENDED,
            Reason.NOT_READY_YET: Meaning("False", "Something was never done so far; the message says what."),
            Reason.INVALID_SPEC: Meaning("False", "The spec can't be carried out; see Stalled."),
            Reason.FOREIGN_CRON_JOB: Meaning("False", "A CronJob of somebody else has our name; see Stalled."),
            Reason.POD_TEMPLATE_MISSING: Meaning("False", "The release's PodTemplate is not there; see Stalled."),
            Reason.SECRET_MISSING: Meaning("False", "See CredentialsValid."),
            Reason.SECRET_INCOMPLETE: Meaning("False", "See CredentialsValid."),
            Reason.LOGIN_REFUSED: Meaning("False", "See CredentialsValid."),
            Reason.ORGANISATION_FORBIDDEN: Meaning("False", "See CredentialsValid."),
            Reason.ORGANISATION_CLAIMED: Meaning("False", "See Synced."),
            Reason.SYNC_FAILED: Meaning("False", "See Synced."),
            Reason.SYNC_OVERDUE: Meaning("False", "See Synced."),
            Reason.LAGGING: Meaning("False", "See Fresh."),
            Reason.NOT_POLLED: Meaning("False", "See Fresh."),
            Reason.PAGE_REFUSED: Meaning("False", "See Fresh."),
            Reason.CURSOR_EXPIRING: Meaning("False", "See Fresh."),
            Reason.CURSOR_EXPIRED: Meaning("False", "See Fresh."),
            Reason.UPSTREAM_UNAVAILABLE: Meaning("False", "See Fresh."),
            Reason.UPSTREAM_THROTTLED: Meaning("False", "See Fresh."),
            **_unknown(),
        },
    ),
    ConditionType.RECONCILING: Described(
        "The operator is still making the cluster as the spec says.",
        {
            Reason.PROGRESSING: Meaning("True", "A newer generation is being taken up."),
            Reason.DELETING: Meaning("True", "The source is being deleted, and its data with it."),
            Reason.UP_TO_DATE: Meaning("False", "Everything is as the spec says."),
            Reason.SUSPENDED: _SUSPENDED,
        },
    ),
    ConditionType.STALLED: Described(
        "The operator can't go on until a person changes something.",
        {
            Reason.INVALID_SPEC: Meaning("True", "The spec can't be carried out; the message names the field."),
            Reason.FOREIGN_CRON_JOB: Meaning(
                "True",
                "A CronJob of the name that we need is somebody else's, and is left alone: rename or remove it.",
            ),
            Reason.POD_TEMPLATE_MISSING: Meaning("True", "The release's PodTemplate is not there: run helm upgrade."),
            Reason.SECRET_MISSING: Meaning("True", "The Secret that spec.secretRef names is not there."),
            Reason.SECRET_INCOMPLETE: Meaning("True", "The Secret lacks a key or has an empty one."),
            Reason.NOT_STALLED: Meaning("False", "Nothing holds the operator."),
        },
    ),
    ConditionType.CREDENTIALS_VALID: Described(
        "MiX took the credentials of the Secret, as the workers saw it.",
        {
            Reason.LOGIN_SUCCEEDED: Meaning("True", "The last login or refresh was accepted."),
            Reason.LOGIN_REFUSED: Meaning(
                "False", "MiX refused user or client. Nobody tries again for an hour or until the Secret changes."
            ),
            Reason.SECRET_MISSING: Meaning("False", "The Secret that spec.secretRef names is not there."),
            Reason.SECRET_INCOMPLETE: Meaning("False", "The Secret lacks a key or has an empty one."),
            Reason.ORGANISATION_FORBIDDEN: Meaning(
                "False", "The login works, but may not see the organisations that the message names; the others go on."
            ),
            **_unknown((Reason.LOGIN_PENDING, "No worker has used these credentials yet.")),
        },
    ),
    ConditionType.SYNCED: Described(
        "Drivers, vehicles, event types and sites were fetched when they were due.",
        {
            Reason.SYNC_SUCCEEDED: Meaning("True", "The last run ended well."),
            Reason.SHORT_LIST: Meaning(
                "True",
                "The last run ended well, but a list was empty or far shorter than before: nothing is marked as "
                "removed until such a list has come a second time.",
            ),
            Reason.SYNC_FAILED: Meaning("False", "The last run failed; the message has its reason."),
            Reason.SYNC_OVERDUE: Meaning("False", "Two full runs were missed."),
            Reason.ORGANISATION_CLAIMED: Meaning(
                "False", "Another MixSource, which the message names, hauls an organisation; the others go on."
            ),
            Reason.SUSPENDED: _SUSPENDED,
            **_unknown((Reason.SYNC_PENDING, "No run has ended yet.")),
        },
    ),
    ConditionType.FRESH: Described(
        "The feed of every organisation was read lately, and its position is near to now.",
        {
            Reason.WITHIN_LIMIT: Meaning("True", "The lag of every organisation is within its limit."),
            Reason.LAGGING: Meaning("False", "An organisation's feed is behind; the message names it and the lag."),
            Reason.PAGE_REFUSED: Meaning("False", "MiX does not hand out one page; it is asked for again and again."),
            Reason.CURSOR_EXPIRING: Meaning("False", "A position is about to become older than MiX's 7 days."),
            Reason.CURSOR_EXPIRED: Meaning("False", "A position was lost; the time between is being backfilled."),
            Reason.UPSTREAM_UNAVAILABLE: Meaning("False", "MiX does not answer, or answers with errors."),
            Reason.UPSTREAM_THROTTLED: Meaning("False", "MiX says that there were too many calls."),
            Reason.SUSPENDED: _SUSPENDED,
            **_unknown((Reason.NOT_POLLED, "The feed was not read yet.")),
        },
    ),
    ConditionType.CAUGHT_UP: Described(
        "Nothing is left to fetch: every feed said that there is no more, no gap is open, and nothing is missing of "
        "the days that were compared with MiX.",
        {
            Reason.NO_MORE_ITEMS: Meaning("True", "Every feed said that there is no more."),
            Reason.MORE_ITEMS: Meaning("False", "A feed has more than was read so far."),
            Reason.GAP_OPEN: Meaning("False", "An interval is still being backfilled."),
            Reason.EVENTS_MISSING: Meaning(
                "False", "MiX has events that are not stored, and they could not be filled yet."
            ),
            Reason.SUSPENDED: _SUSPENDED,
            **_unknown((Reason.NOT_POLLED, "The feed was not read yet.")),
        },
    ),
}
