"""What the process knows of each feed just now: for the live view and for `--until-caught-up`. Progress that must
survive is in the database, not here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

FeedState = Literal["starting", "reading", "caught up", "waiting", "failing", "stopped"]


@dataclass(slots=True)
class FeedView:
    """One organisation's feed. Times are aware UTC; `rate` is events a minute over the last minute."""

    source: str
    organisation: str
    name: str | None
    feed: str
    state: FeedState = "starting"
    position: datetime | None = None
    last_poll: datetime | None = None
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined: int = 0
    budget_used: int = 0
    budget_limit: int = 0
    error: str | None = None
    terminal: Exception | None = None
    caught_up: bool = False
    recent: list[tuple[float, int]] = field(default_factory=list)

    def count(self, events: int, *, at: float) -> None:
        """Remember `events` stored at the monotonic time `at`, for the rate."""
        self.recent.append((at, events))
        while self.recent and self.recent[0][0] < at - 60:
            self.recent.pop(0)

    def rate(self, *, at: float) -> int:
        """Events a minute, over the minute before the monotonic time `at`."""
        return sum(events for moment, events in self.recent if moment >= at - 60)


@dataclass(slots=True)
class SourceView:
    """One MixSource: its feeds, and what stops all of them."""

    key: str
    feeds: dict[int, FeedView] = field(default_factory=dict)
    organisations_known: bool = False
    error: str | None = None
    terminal: Exception | None = None
    conflicts: dict[int, Exception] = field(default_factory=dict)


@dataclass(slots=True)
class View:
    """Everything that this process does."""

    leading: bool = False
    epoch: int | None = None
    sources: dict[str, SourceView] = field(default_factory=dict)

    def feeds(self) -> list[FeedView]:
        """All feeds, by source and organisation."""
        return [feed for source in self.sources.values() for feed in source.feeds.values()]

    def settled(self) -> bool:
        """Whether each feed has either said that there is no more, or can't go on without a person."""
        if not self.sources:
            return False
        for source in self.sources.values():
            if source.terminal is None and not source.organisations_known:
                return False
        return all(feed.caught_up or feed.terminal is not None for feed in self.feeds())

    def failures(self) -> list[Exception]:
        """What can't go on without a person."""
        found: list[Exception] = []
        for source in self.sources.values():
            if source.terminal is not None:
                found.append(source.terminal)
            found.extend(source.conflicts.values())
            found.extend(feed.terminal for feed in source.feeds.values() if feed.terminal is not None)
        return found
