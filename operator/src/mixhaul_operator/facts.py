"""What the database knows of a source, as values: what the conditions are computed from.

How it is read is `progress`'s concern. Everything here was true when it was read, `Known.at`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mixhaul_source.conditions import Reason


class Trouble(StrEnum):
    """What the last error of a feed comes down to."""

    THROTTLED = "throttled"
    FORBIDDEN = "forbidden"
    REFUSED_LOGIN = "refused login"
    TOKEN_EXPIRED = "token expired"  # noqa: S105 - a kind of trouble
    PAGE = "page"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation as people know it."""

    external_id: int
    name: str | None = None

    def __str__(self) -> str:
        return f"organisation {self.external_id}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """One feed of one organisation. `position` is the creation time up to which everything has been read."""

    organisation: Organisation
    position: datetime | None = None
    last_poll_at: datetime | None = None
    caught_up_at: datetime | None = None
    has_more: bool | None = None
    consecutive_errors: int = 0
    last_error: str | None = None
    trouble: Trouble | None = None
    open_gaps: int = 0
    # Found missing by a comparison with MiX, and not filled yet.
    missing_events: int = 0


@dataclass(frozen=True, slots=True)
class SyncFacts:
    """The last finished sync of one organisation; without one where it failed before it came to any."""

    organisation: Organisation | None
    at: datetime
    succeeded: bool
    error: str | None = None
    short_lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoginFacts:
    """What the identity server said of the source's credentials."""

    accepted: bool = False
    refused_at: datetime | None = None
    refused_error: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An organisation that a source wants and another one has."""

    organisation: Organisation
    owner: str


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A piece of work that was asked for."""

    request_id: str
    state: str
    message: str | None = None
    requested_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """All of one source."""

    feeds: tuple[FeedFacts, ...] = ()
    syncs: tuple[SyncFacts, ...] = ()
    login: LoginFacts = field(default_factory=LoginFacts)
    claims: tuple[Claim, ...] = ()
    requests: Mapping[str, RequestFacts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotYet:
    """The database was not asked yet, or is away for less than the patience: what the status says still stands."""


@dataclass(frozen=True, slots=True)
class Away:
    """The database can't be asked. `reason` is DatabaseUnavailable or SchemaTooOld."""

    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True)
class Known:
    """The database was asked."""

    at: datetime
    facts: SourceFacts


Knowledge = NotYet | Away | Known
