"""`Fresh`: whether every organisation's feed was read lately, and why not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from mixhaul_operator.conditions.finding import EXPIRY_WARNING, TOKEN_LIFE, Finding, Subject, finding
from mixhaul_operator.conditions.wording import behind, listed, shortened
from mixhaul_operator.facts import FeedFacts, Known, Trouble
from mixhaul_source.conditions import ConditionType, Reason

_TYPE = ConditionType.FRESH

# One error is weather; from here on it is a state.
_ERRORS_THAT_COUNT: Final = 2


def fresh(subject: Subject) -> Finding | None:
    """None: nothing new is known, the condition stays as it is. Of several organisations the worst one decides."""
    if subject.suspended:
        return finding(_TYPE, Reason.SUSPENDED)
    if not isinstance(subject.knowledge, Known):
        return None
    feeds = subject.knowledge.facts.feeds
    if not feeds:
        return finding(_TYPE, Reason.NOT_POLLED)
    by_reason: dict[Reason, list[FeedFacts]] = {}
    for feed in feeds:
        by_reason.setdefault(_reason(subject, feed), []).append(feed)
    worst = next(reason for reason in _WORST_FIRST if reason in by_reason)
    return finding(_TYPE, worst, _MESSAGES[worst](subject, by_reason[worst]))


def lag_of(subject: Subject, feed: FeedFacts) -> timedelta | None:
    """None for a feed that has not begun."""
    return None if feed.position is None else subject.now - feed.position


def _reason(subject: Subject, feed: FeedFacts) -> Reason:
    failing = feed.consecutive_errors >= _ERRORS_THAT_COUNT
    lag = lag_of(subject, feed)
    if lag is None:
        return _OF_TROUBLE.get(feed.trouble, Reason.UPSTREAM_UNAVAILABLE) if failing else Reason.NOT_POLLED
    if lag <= subject.lag_limit:
        return Reason.WITHIN_LIMIT
    if lag > TOKEN_LIFE or (failing and feed.trouble is Trouble.TOKEN_EXPIRED):
        return Reason.CURSOR_EXPIRED
    if lag > EXPIRY_WARNING:
        return Reason.CURSOR_EXPIRING
    if failing:
        return _OF_TROUBLE.get(feed.trouble, Reason.UPSTREAM_UNAVAILABLE)
    return Reason.LAGGING


_OF_TROUBLE: Final[dict[Trouble | None, Reason]] = {
    Trouble.THROTTLED: Reason.UPSTREAM_THROTTLED,
    Trouble.PAGE: Reason.PAGE_REFUSED,
    Trouble.TOKEN_EXPIRED: Reason.CURSOR_EXPIRED,
}

_WORST_FIRST: Final = (
    Reason.CURSOR_EXPIRED,
    Reason.CURSOR_EXPIRING,
    Reason.PAGE_REFUSED,
    Reason.UPSTREAM_UNAVAILABLE,
    Reason.UPSTREAM_THROTTLED,
    Reason.LAGGING,
    Reason.NOT_POLLED,
    Reason.WITHIN_LIMIT,
)

_Message = Callable[[Subject, list[FeedFacts]], str | None]


def _names(feeds: list[FeedFacts]) -> str:
    names = listed([feed.organisation for feed in feeds])
    return f"{names[:1].upper()}{names[1:]}"


def _lagging(subject: Subject, feeds: list[FeedFacts]) -> str:
    lag = max((lag_of(subject, feed) or timedelta(0)) for feed in feeds)
    return f"{_names(feeds)}: {behind(lag)} behind."


def _expiring(_subject: Subject, feeds: list[FeedFacts]) -> str:
    return (
        f"{_names(feeds)}: more than 6 days behind. MiX keeps events for 7 days; after that the position is lost and "
        "the time between has to be backfilled."
    )


def _expired(_subject: Subject, feeds: list[FeedFacts]) -> str:
    return f"{_names(feeds)}: the position became older than MiX's 7 days; the time between is being backfilled."


def _with_error(_subject: Subject, feeds: list[FeedFacts]) -> str:
    said = next((feed.last_error for feed in feeds if feed.last_error), "no reason was written down")
    return shortened(f"{_names(feeds)}: {said}")


def _documented(_subject: Subject, _feeds: list[FeedFacts]) -> None:
    return None


def _not_polled(_subject: Subject, feeds: list[FeedFacts]) -> str:
    return f"The feed was not read yet: {listed([feed.organisation for feed in feeds])}."


_MESSAGES: Final[dict[Reason, _Message]] = {
    Reason.CURSOR_EXPIRED: _expired,
    Reason.CURSOR_EXPIRING: _expiring,
    Reason.PAGE_REFUSED: _with_error,
    Reason.UPSTREAM_UNAVAILABLE: _with_error,
    Reason.UPSTREAM_THROTTLED: _with_error,
    Reason.LAGGING: _lagging,
    Reason.NOT_POLLED: _not_polled,
    Reason.WITHIN_LIMIT: _documented,
}
