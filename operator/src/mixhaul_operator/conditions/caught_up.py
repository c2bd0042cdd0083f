"""`CaughtUp`: whether anything is left to fetch.

A busy feed says "more" on every other page without being behind, so it is asked when it last said that there is no
more.
"""

from __future__ import annotations

from mixhaul_operator.conditions.finding import Finding, Subject, finding
from mixhaul_operator.conditions.wording import listed
from mixhaul_operator.facts import FeedFacts, Known, Organisation
from mixhaul_source.conditions import ConditionType, Reason

_TYPE = ConditionType.CAUGHT_UP


def caught_up(subject: Subject) -> Finding | None:
    """None: nothing new is known, the condition stays as it is."""
    if subject.suspended:
        return finding(_TYPE, Reason.SUSPENDED)
    if not isinstance(subject.knowledge, Known):
        return None
    feeds = subject.knowledge.facts.feeds
    if not feeds or all(feed.last_poll_at is None for feed in feeds):
        return finding(_TYPE, Reason.NOT_POLLED)
    if behind := [feed.organisation for feed in feeds if not _caught_up(subject, feed)]:
        return finding(_TYPE, Reason.MORE_ITEMS, f"More is to be read for {listed(behind)}.")
    if gaps := [feed.organisation for feed in feeds if feed.open_gaps]:
        return finding(_TYPE, Reason.GAP_OPEN, f"An interval is still being backfilled for {listed(gaps)}.")
    if missing := [feed.organisation for feed in feeds if feed.missing_events]:
        return finding(_TYPE, Reason.EVENTS_MISSING, _missing(missing))
    return finding(_TYPE, Reason.NO_MORE_ITEMS)


def _missing(organisations: list[Organisation]) -> str:
    # No number: it changes with each comparison. The metric and `reconciliations` have it.
    return f"MiX has events of {listed(organisations)} that could not be stored; see the table reconciliations."


def _caught_up(subject: Subject, feed: FeedFacts) -> bool:
    if feed.caught_up_at is None:
        return False
    return feed.has_more is False or subject.now - feed.caught_up_at <= subject.lag_limit
