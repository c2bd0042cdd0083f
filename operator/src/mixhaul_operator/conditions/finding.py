"""What a condition is decided from, and what a decision looks like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mixhaul_operator.facts import Knowledge
from mixhaul_operator.schedule import Times
from mixhaul_source.conditions import CONDITIONS, ConditionType, Reason
from mixhaul_source.model import MixSourceSpec

# A feed counts as behind from here on; the alert on lag begins at the same figure.
LAG_LIMIT: Final = timedelta(minutes=10)
# MiX answers for seven days; the warning comes a day before.
TOKEN_LIFE: Final = timedelta(days=7)
EXPIRY_WARNING: Final = timedelta(days=6)


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition without its times. Messages hold nothing that changes by itself: a change is a write."""

    type: ConditionType
    status: str
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Blocker:
    """What keeps the operator from going on until a person acts."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What the CronJob's own status says of the last run that it started."""

    scheduled_at: datetime | None = None
    succeeded_at: datetime | None = None
    running: bool = False

    @property
    def failed(self) -> bool:
        """The last run has ended, and not well."""
        if self.scheduled_at is None or self.running:
            return False
        return self.succeeded_at is None or self.succeeded_at < self.scheduled_at


@dataclass(frozen=True, slots=True)
class Subject:
    """The gathered input of all conditions.

    `spec` is None where it can't be read (then `blocker` says so). `unfinished` says what of the cluster's side could
    not be done this time and is tried again; `has_cron_job` whether there is one that is ours.
    """

    key: str
    spec: MixSourceSpec | None
    created_at: datetime
    now: datetime
    knowledge: Knowledge
    blocker: Blocker | None = None
    secret_problem: Blocker | None = None
    secret_changed_at: datetime | None = None
    deleting: str | None = None
    unfinished: str | None = None
    has_cron_job: bool = True
    job: JobFacts = JobFacts()
    times: Times | None = None

    @property
    def suspended(self) -> bool:
        return self.spec is not None and self.spec.suspend

    @property
    def lag_limit(self) -> timedelta:
        """Longer where the source itself asks less often."""
        period = self.spec.stream.period_seconds if self.spec is not None else 0
        return max(LAG_LIMIT, 3 * timedelta(seconds=period))


def finding(kind: ConditionType, reason: Reason, message: str | None = None) -> Finding:
    """A finding with the status that belongs to the reason, and the documented sentence where none is given."""
    meaning = CONDITIONS[kind].reasons[reason]
    return Finding(kind, meaning.status, reason, meaning.text if message is None else message)
