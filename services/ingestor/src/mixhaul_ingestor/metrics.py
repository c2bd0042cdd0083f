"""The ingestor's own metrics. A leader that stops removes the gauges of its feeds: nothing frozen is scraped."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from mixhaul_ingestor import pacing
from mixhaul_mix.events import token_time
from mixhaul_store.progress import FeedProgress

_FEED = ("source", "organisation", "feed")

PAGES = Counter("mixhaul_ingest_pages", "Feed requests by outcome.", (*_FEED, "result"))
PAGE_SECONDS = Histogram(
    "mixhaul_ingest_page_duration_seconds",
    "Time spent on a page by stage.",
    ("feed", "stage"),
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100),
)
EVENTS = Counter(
    "mixhaul_ingest_events", "Events of committed pages by outcome.", ("source", "organisation", "outcome")
)
LAST_POLL = Gauge("mixhaul_ingest_last_poll_timestamp_seconds", "When a page was last committed.", _FEED)
LAST_DATA = Gauge("mixhaul_ingest_last_data_timestamp_seconds", "When a page with events was last committed.", _FEED)
CURSOR = Gauge("mixhaul_ingest_cursor_timestamp_seconds", "How far the feed has been read, in creation time.", _FEED)
CURSOR_EXPIRY = Gauge("mixhaul_ingest_cursor_expiry_timestamp_seconds", "When the token dies (7 days).", _FEED)
OPEN_GAP = Gauge("mixhaul_ingest_open_gap_seconds", "Sum of the open gaps' lengths.", _FEED)
BUDGET_USED = Gauge("mixhaul_upstream_budget_used_ratio", "Share of the request budget in use.", ("organisation",))
CREDENTIAL_EXPIRY = Gauge(
    "mixhaul_credential_expiry_timestamp_seconds", "When the access token in use expires.", ("source",)
)
LEADER = Gauge("mixhaul_leader", "1 while this process leads.", ("lease",))
LEADER_TRANSITIONS = Counter("mixhaul_leader_transitions", "How often this process began to lead.", ("lease",))
FENCED_WRITES = Counter("mixhaul_fenced_writes", "Writes refused because another process leads.")

WORK = Counter("mixhaul_work_requests", "Jobs that somebody asked for, by how they ended.", ("kind", "result"))
TASK_FAILURES = Counter("mixhaul_leader_task_failures", "How often a task of the leader failed.", ("task",))
TASK_SUCCESS = Gauge(
    "mixhaul_leader_task_last_success_timestamp_seconds", "When a task of the leader last ended well.", ("task",)
)

_HISTORY = ("source", "organisation")
BACKFILL_WINDOWS = Counter(
    "mixhaul_backfill_windows", "Intervals of history that were asked for, by outcome.", (*_HISTORY, "result")
)
BACKFILL_EVENTS = Counter("mixhaul_backfill_events", "Events of stored history by outcome.", (*_HISTORY, "outcome"))
BACKFILL_UNREAD = Gauge(
    "mixhaul_backfill_unread_seconds", "Event time that is left to read before the open gaps are filled.", _HISTORY
)

MISSING_EVENTS = Gauge(
    "mixhaul_ingest_missing_events",
    "Events that MiX has, by the last comparison of each day, and that could not be filled.",
    _HISTORY,
)
COMPARED_EVENTS = Counter(
    "mixhaul_compared_events",
    "Events of days that were compared with MiX: all of them, those that were missing or different, those filled.",
    (*_HISTORY, "outcome"),
)
COMPARED_DAYS = Counter("mixhaul_comparisons", "Days that were compared with MiX.", (*_HISTORY, "result"))
AMENDMENTS = Counter(
    "mixhaul_amendments",
    "Amendments that were not known yet; unknown: of a type that decides nothing.",
    (*_HISTORY, "type"),
)

COMPARED_OUTCOMES = ("compared", "missing", "differing", "filled")
COMPARED_RESULTS = ("complete", "incomplete")
AMENDMENT_TYPES = ("quarantined", "reassigned", "unknown")
WORK_RESULTS = ("succeeded", "failed", "defect", "given_back")
WINDOW_RESULTS = ("read", "narrowed", "failed")
PAGE_RESULTS = ("data", "empty", "error", "invalid")
EVENT_OUTCOMES = ("inserted", "updated", "unchanged", "quarantined", "expired")

_FEED_GAUGES = (LAST_POLL, LAST_DATA, CURSOR, CURSOR_EXPIRY, OPEN_GAP)


def declare_feed(source: str, organisation: str, feed: str) -> None:
    """Export the counters of a feed as 0 before anything happens."""
    for result in PAGE_RESULTS:
        PAGES.labels(source, organisation, feed, result)
    for outcome in EVENT_OUTCOMES:
        EVENTS.labels(source, organisation, outcome)
        BACKFILL_EVENTS.labels(source, organisation, outcome)
    for result in WINDOW_RESULTS:
        BACKFILL_WINDOWS.labels(source, organisation, result)


def show_cursor(row: FeedProgress, *, now: datetime) -> None:
    """Export how far a feed has come by the database, for a process that has read nothing of it yet."""
    labels = (row.source, str(row.organisation), row.feed)
    if row.last_poll_at is not None:
        LAST_POLL.labels(*labels).set(row.last_poll_at.timestamp())
    if row.last_data_at is not None:
        LAST_DATA.labels(*labels).set(row.last_data_at.timestamp())
    if row.token is None or row.token_received_at is None:
        return
    at = pacing.position(row.token, token_time=token_time(row.token), received_at=row.token_received_at, now=now)
    CURSOR.labels(*labels).set((at if row.has_more else row.token_received_at).timestamp())
    CURSOR_EXPIRY.labels(*labels).set((at + pacing.TOKEN_LIFE).timestamp())


def declare_work(kinds: Iterable[str]) -> None:
    """Export the counters of jobs as 0 before anything happens."""
    for kind in kinds:
        for result in WORK_RESULTS:
            WORK.labels(kind, result)


def forget_feed(source: str, organisation: str, feed: str) -> None:
    """Remove the gauges of a feed that this process no longer reads."""
    for gauge in _FEED_GAUGES:
        with suppress(KeyError):
            gauge.remove(source, organisation, feed)
    with suppress(KeyError):
        BUDGET_USED.remove(organisation)
    with suppress(KeyError):
        MISSING_EVENTS.remove(source, organisation)


def declare_comparisons(source: str, organisation: str) -> None:
    """Export the counters of comparisons as 0 before anything happens."""
    for outcome in COMPARED_OUTCOMES:
        COMPARED_EVENTS.labels(source, organisation, outcome)
    for result in COMPARED_RESULTS:
        COMPARED_DAYS.labels(source, organisation, result)


def declare_amendments(source: str, organisation: str) -> None:
    """Export the counter of amendments as 0 before any came."""
    for kind in AMENDMENT_TYPES:
        AMENDMENTS.labels(source, organisation, kind)


def forget_source(source: str) -> None:
    """Remove the gauges of a source that this process no longer reads."""
    with suppress(KeyError):
        CREDENTIAL_EXPIRY.remove(source)
