"""As of when an answer is: pure functions over the progress of a feed.

`asOf` promises that what MiX had stored by then is in the database, open gaps apart. It is never later than what the
database held when the answer's query ran, because progress is read first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mixhaul_api.directory import Scope
from mixhaul_api.periods import show, show_if
from mixhaul_api.shapes.common import Freshness, GapInterval
from mixhaul_api.shapes.status import LastSync, OrganisationStatus

_TOKEN: Final = re.compile(r"([0-9]{14})([0-9]{0,6})[0-9]*")


@dataclass(frozen=True, slots=True)
class Progress:
    """What the database knows of one organisation's event feed and last sync."""

    organisation_id: int
    now: datetime
    token: str | None
    token_received_at: datetime | None
    has_more: bool | None
    caught_up_at: datetime | None
    last_poll_at: datetime | None
    last_data_at: datetime | None
    consecutive_errors: int
    gaps: tuple[tuple[datetime, datetime], ...]
    gap_count: int
    synced_at: datetime | None
    sync_finished_at: datetime | None
    sync_result: str | None


def token_time(token: str | None) -> datetime | None:
    """The time in a token's text, for display only; None where it has another form."""
    match = _TOKEN.fullmatch(token or "")
    if match is None:
        return None
    try:
        whole = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return whole.replace(microsecond=int(match[2].ljust(6, "0")))


def as_of(progress: Progress) -> datetime | None:
    """The last poll where MiX said that there is no more, or else the time of the cursor's position."""
    if progress.token_received_at is None and progress.caught_up_at is None:
        return None
    if progress.has_more is False and progress.caught_up_at is not None:
        return progress.caught_up_at
    position = token_time(progress.token)
    received = progress.token_received_at
    if position is None or received is None:
        return received if position is None else position
    # The clock of MiX may be ahead of ours.
    return min(position, received)


def lag_seconds(progress: Progress) -> float | None:
    """How long ago that is."""
    moment = as_of(progress)
    return None if moment is None else max(0.0, round((progress.now - moment).total_seconds(), 3))


def described(progress: Progress, scope: Scope) -> Freshness:
    """For a list answer."""
    return {
        "organisationId": scope.public_id(progress.organisation_id),
        "asOf": show_if(as_of(progress)),
        "lagSeconds": lag_seconds(progress),
        "gaps": _gaps(progress),
        "syncedAt": show_if(progress.synced_at),
    }


def status(progress: Progress, scope: Scope) -> OrganisationStatus:
    """For `/api/status`."""
    organisation = scope.of(progress.organisation_id)
    last_sync: LastSync | None = None
    if progress.sync_finished_at is not None and progress.sync_result is not None:
        last_sync = {"finishedAt": show(progress.sync_finished_at), "result": progress.sync_result}
    return {
        "organisationId": organisation.public_id,
        "name": organisation.name,
        "timeZone": organisation.time_zone,
        "asOf": show_if(as_of(progress)),
        "lagSeconds": lag_seconds(progress),
        "caughtUp": progress.has_more is False,
        "lastPollAt": show_if(progress.last_poll_at),
        "lastDataAt": show_if(progress.last_data_at),
        "consecutiveErrors": progress.consecutive_errors,
        "gapCount": progress.gap_count,
        "gaps": _gaps(progress),
        "lastSync": last_sync,
    }


def _gaps(progress: Progress) -> list[GapInterval]:
    return [{"from": show(start), "to": show(end)} for start, end in progress.gaps]
