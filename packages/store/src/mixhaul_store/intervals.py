"""The arithmetic of gaps and of the windows that fill them, as pure functions.

A gap is an interval of *creation* time, history is read by windows of *event* time. An event that was created in a gap
[a, b] happened in [a - lateness, b + AHEAD], so a gap is filled once all of that has been read, at a time after b.
Whole seconds throughout, rounded outwards: that is what history is asked with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mixhaul_store.records import EventRow

LONGEST_WINDOW: Final = timedelta(days=7)
SECOND: Final = timedelta(seconds=1)
# An event uploaded during a gap may be this old; older where an organisation has shown it.
LATENESS: Final = timedelta(days=60)
# What looks even later comes from a clock that was reset: no window is widened for it.
LONGEST_LATENESS: Final = timedelta(days=400)
# Clocks of vehicles may be ahead of MiX's.
AHEAD: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From `start` to `end`, which is later."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise ValueError("an interval ends after it starts")

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class OpenGap:
    """What the ledger knows of a gap that is not filled: creation times."""

    span: Interval
    filled_up_to: datetime | None = None

    @property
    def left(self) -> Interval:
        """What is still to be filled."""
        if self.filled_up_to is None:
            return self.span
        return Interval(max(self.span.start, min(self.filled_up_to, self.span.end - SECOND)), self.span.end)


def absorb(known: Sequence[OpenGap], new: Interval) -> OpenGap | None:
    """The gap that takes the place of `new` and of all the known ones that it overlaps or touches; None where one of
    those holds it already.

    What was filled stays filled, but only from the beginning of a gap on: before that, nothing has been read. And
    what was read before a gap grew knows nothing of what was created since, so its windows are to be read again.
    """
    if any(gap.span.start <= new.start and new.end <= gap.span.end for gap in known):
        return None
    met = touched(known, new)
    first = min(met, key=lambda gap: gap.span.start, default=None)
    end = max([new.end, *(gap.span.end for gap in met)])
    if first is None or new.start < first.span.start:
        return OpenGap(Interval(new.start, end))
    return OpenGap(Interval(first.span.start, end), first.filled_up_to)


def touched(known: Sequence[OpenGap], new: Interval) -> list[OpenGap]:
    """Those that overlap the interval or touch it."""
    return [gap for gap in known if gap.span.start <= new.end and gap.span.end >= new.start]


def lateness(events: Iterable[EventRow], *, observed_at: datetime) -> timedelta | None:
    """How late the latest of these events is, where that is more than is reckoned with anyway and no wrong clock."""
    usual, absurd = observed_at - LATENESS, observed_at - LONGEST_LATENESS
    late = [at for _, at, _ in events if at is not None and absurd <= at < usual]
    return observed_at - min(late) if late else None


def to_read(gap: OpenGap, *, lateness: timedelta | None, now: datetime) -> Interval:
    """The event times in which something may have happened that was created in what is left of a gap."""
    late = min(max(LATENESS, lateness or LATENESS), LONGEST_LATENESS)
    left = gap.left
    end = max(left.end, min(left.end + AHEAD, now))
    return Interval(floor(left.start - late), ceil(end))


def filled(gap: OpenGap, *, unread: Iterable[Interval]) -> datetime | None:
    """Up to which creation time everything is stored, when `unread` is what is left of `to_read`.

    What was created up to t happened up to t + AHEAD, so the windows have to be read up to there without a hole.
    """
    first = min((window.start for window in unread), default=None)
    if first is None:
        return gap.span.end
    until = min(first - AHEAD, gap.span.end)
    return until if until > gap.left.start else gap.filled_up_to


def windows(span: Interval, *, longest: timedelta = LONGEST_WINDOW) -> list[Interval]:
    """The interval in pieces that history answers for, the newest first."""
    return list(_pieces(span, longest))


def _pieces(span: Interval, longest: timedelta) -> Iterator[Interval]:
    end = span.end
    while end > span.start:
        start = max(span.start, end - longest)
        yield Interval(start, end)
        end = start


def newest_part(window: Interval, longest: timedelta) -> tuple[Interval, Interval | None]:
    """The newest piece of at most this length (a second at least), and what is left before it."""
    start = ceil(max(window.start, window.end - max(longest, SECOND)))
    if start <= window.start or start >= window.end:
        return window, None
    return Interval(start, window.end), Interval(window.start, start)


def floor(moment: datetime) -> datetime:
    """The second in which it lies."""
    return moment.replace(microsecond=0)


def ceil(moment: datetime) -> datetime:
    """The same, or the next whole second."""
    whole = floor(moment)
    return whole if whole == moment else whole + SECOND
