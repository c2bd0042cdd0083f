"""`mixhaul-ingestor status`: what an operator asks first, as a table or as JSON (ids as strings, times RFC 3339)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from mixhaul_ingestor import pacing
from mixhaul_mix.events import token_time
from mixhaul_store.progress import FeedProgress


def position(row: FeedProgress, *, now: datetime) -> datetime | None:
    """The creation time up to which everything has been read; now, where MiX last said that there is no more."""
    if row.has_more is False and row.last_poll_at is not None:
        return row.last_poll_at
    if row.token is None or row.token_received_at is None:
        return None
    return pacing.position(row.token, token_time=token_time(row.token), received_at=row.token_received_at, now=now)


def as_json(rows: Sequence[FeedProgress], *, now: datetime) -> list[dict[str, Any]]:
    """One object a feed."""
    return [_feed(row, now=now) for row in rows]


def _feed(row: FeedProgress, *, now: datetime) -> dict[str, Any]:
    at = position(row, now=now)
    return {
        "source": row.source,
        "organisationId": str(row.organisation),
        "organisationName": row.name,
        "feed": row.feed,
        "sinceToken": row.token,
        "readUpTo": _time(at),
        "lagSeconds": None if at is None else round(max(0.0, (now - at).total_seconds()), 3),
        "caughtUp": row.has_more is False,
        "lastPollTime": _time(row.last_poll_at),
        "lastDataTime": _time(row.last_data_at),
        "notBefore": _time(row.not_before),
        "openGaps": row.open_gaps,
        "openGapSeconds": row.gap_seconds,
        "permitsInUse": row.permits_used,
        "consecutiveErrors": row.consecutive_errors,
        "lastError": row.last_error,
        "lastSyncTime": _time(row.last_sync_at),
        "lastSyncResult": row.last_sync_result,
        "lastSyncError": row.last_sync_error,
    }


def as_table(rows: Sequence[FeedProgress], *, now: datetime) -> Table:
    """The same for a person."""
    table = Table(title="Mixhaul: feeds", title_justify="left", expand=False)
    for heading in (
        "Source",
        "Organisation",
        "Cursor",
        "Lag",
        "Gaps",
        "Calls/min",
        "Last sync",
        "Errors",
        "Last error",
    ):
        table.add_column(heading, overflow="fold")
    for row in rows:
        at = position(row, now=now)
        table.add_row(
            row.source,
            f"{row.name or ''} ({row.organisation})".strip(),
            row.token or "not begun",
            "-" if at is None else duration((now - at).total_seconds()),
            f"{row.open_gaps} ({duration(row.gap_seconds)})" if row.open_gaps else "none",
            str(row.permits_used),
            f"{row.last_sync_result} {duration((now - row.last_sync_at).total_seconds())} ago"
            if row.last_sync_at
            else "never",
            str(row.consecutive_errors),
            row.last_error or "",
        )
    return table


def duration(seconds: float) -> str:
    """For people: `4 s`, `3 min`, `5 h 10 min`, `2 d 3 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60 % 60, whole // 3600 % 24, whole // 86400
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
