"""The arithmetic of gaps: nothing that was booked is given up before it has been read, whatever happens in between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mixhaul_store.intervals import (
    AHEAD,
    LATENESS,
    LONGEST_LATENESS,
    LONGEST_WINDOW,
    SECOND,
    Interval,
    OpenGap,
    absorb,
    ceil,
    filled,
    floor,
    newest_part,
    to_read,
    touched,
    windows,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def span(start: float, end: float) -> Interval:
    """From so many days after noon to so many."""
    return Interval(NOON + start * DAY, NOON + end * DAY)


def gap(start: float, end: float, filled_up_to: float | None = None) -> OpenGap:
    return OpenGap(span(start, end), None if filled_up_to is None else NOON + filled_up_to * DAY)


moments = st.integers(0, 40 * 86400 * 1000).map(lambda ms: NOON + timedelta(milliseconds=ms))
spans = st.tuples(moments, moments).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Interval(*sorted(pair)))


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        pytest.param([], span(0, 1), gap(0, 1), id="the first"),
        pytest.param([gap(0, 2)], span(1, 3), gap(0, 3), id="overlapping"),
        pytest.param([gap(0, 2)], span(2, 3), gap(0, 3), id="touching"),
        pytest.param([gap(0, 1)], span(2, 3), gap(2, 3), id="apart"),
        pytest.param([gap(0, 1), gap(2, 3)], span(1, 2), gap(0, 3), id="between two"),
        pytest.param([gap(0, 9)], span(2, 3), None, id="held already"),
        pytest.param([gap(0, 9, 5)], span(2, 3), None, id="held, and filled"),
        pytest.param([gap(0, 2, 1)], span(2, 3), gap(0, 3, 1), id="growing forward keeps what was filled"),
        pytest.param([gap(0, 2, 1)], span(0.5, 3), gap(0, 3, 1), id="what is stored stays stored"),
        pytest.param([gap(0, 2, 1)], span(-1, 0), gap(-1, 2), id="growing backward does not"),
        pytest.param([gap(0, 1, 0.5), gap(2, 3, 2.5)], span(1, 2), gap(0, 3, 0.5), id="only the first one's counts"),
    ],
)
def test_absorb(known: list[OpenGap], new: Interval, expected: OpenGap | None) -> None:
    assert absorb(known, new) == expected


@pytest.mark.parametrize(
    ("lateness", "days"),
    [
        (None, LATENESS),
        (timedelta(days=3), LATENESS),
        (timedelta(days=90), timedelta(days=90)),
        (timedelta(days=20_000), LONGEST_LATENESS),
    ],
)
def test_the_lateness_widens_what_is_read_within_reason(lateness: timedelta | None, days: timedelta) -> None:
    assert to_read(gap(0, 1), lateness=lateness, now=NOON + 9 * DAY) == Interval(NOON - days, NOON + 2 * DAY)


def test_nothing_beyond_now_is_asked_for_but_the_gap_itself() -> None:
    assert to_read(gap(0, 1), lateness=None, now=NOON + 1.5 * DAY).end == NOON + 1.5 * DAY
    assert to_read(gap(0, 1), lateness=None, now=NOON).end == NOON + DAY


@pytest.mark.parametrize(
    ("known", "unread", "expected"),
    [
        pytest.param(gap(0, 10), [], 10, id="all of it is read"),
        pytest.param(gap(0, 10), [(5, 11)], 4, id="read up to there: a clock that is ahead shows a day later"),
        pytest.param(gap(0, 10), [(9, 11), (5, 6)], 4, id="up to the first hole"),
        pytest.param(gap(0, 10), [(10.5, 11)], 9.5, id="nearly"),
        pytest.param(gap(0, 10), [(-60, 11)], None, id="nothing yet"),
        pytest.param(gap(0, 10), [(1, 11)], None, id="up to its beginning"),
        pytest.param(gap(0, 10, 3), [(2, 11)], 3, id="never back"),
    ],
)
def test_filled(known: OpenGap, unread: list[tuple[float, float]], expected: float | None) -> None:
    until = None if expected is None else NOON + expected * DAY
    assert filled(known, unread=[span(start, end) for start, end in unread]) == until


@given(spans)
def test_windows_cover_an_interval_without_hole_or_overlap_the_newest_first(whole: Interval) -> None:
    whole = Interval(floor(whole.start), ceil(whole.end))
    parts = windows(whole)
    assert all(part.length <= LONGEST_WINDOW for part in parts)
    assert parts == sorted(parts, reverse=True)
    assert (parts[-1].start, parts[0].end) == (whole.start, whole.end)
    assert all(older.end == newer.start for newer, older in pairwise(parts))


@given(spans, st.integers(0, 10**10).map(lambda ms: timedelta(milliseconds=ms)))
def test_a_window_is_cut_at_a_whole_second_and_never_shorter_than_one(window: Interval, longest: timedelta) -> None:
    window = Interval(floor(window.start), ceil(window.end))
    part, rest = newest_part(window, longest)
    assert part.length <= max(longest, SECOND)
    assert part.length >= SECOND
    assert part.start.microsecond == 0
    if rest is None:
        assert part == window
    else:
        assert (rest.start, rest.end, part.end) == (window.start, part.start, window.end)


@pytest.mark.parametrize(
    ("of", "unread", "days"),
    [
        pytest.param(gap(0, 10), [], 10, id="nothing is left to read"),
        pytest.param(gap(0, 10), [span(7, 8), span(4, 5)], 3, id="up to a day before the first hole"),
        pytest.param(gap(0, 10), [span(0.5, 1)], None, id="the first hole is at the beginning"),
        pytest.param(gap(0, 10, 2), [span(1, 2)], 2, id="never less than before"),
        pytest.param(gap(0, 1), [span(5, 6)], 1, id="never beyond its end"),
    ],
)
def test_how_far_a_gap_is_filled(of: OpenGap, unread: list[Interval], days: float | None) -> None:
    assert filled(of, unread=unread) == (None if days is None else NOON + days * DAY)


def test_an_interval_has_a_length() -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        Interval(NOON, NOON)


@dataclass(frozen=True)
class Event:
    created: datetime
    happened: datetime


@dataclass
class Booked:
    """A gap of the ledger and what is left to read of it; None: not planned yet."""

    gap: OpenGap
    unread: list[Interval] | None = None


class Ledger(RuleBasedStateMachine):
    """A ledger over a MiX whose history looks at either time of an event. Missing is what was created in a booked
    interval and is not stored."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.gaps: list[Booked] = []
        self.events: set[Event] = set()
        self.stored: set[Event] = set()
        self.missed: set[Event] = set()
        self.by_creation = False

    @initialize(by_creation=st.booleans())
    def choose(self, by_creation: bool) -> None:
        self.by_creation = by_creation

    @rule(
        hours=st.integers(1, 100),
        late=st.lists(st.integers(-24 * 3600, 60 * 86400), min_size=1, max_size=4),
    )
    def time_passes(self, hours: int, late: list[int]) -> None:
        for number, seconds in enumerate(late, start=1):
            created = self.now + hours * timedelta(hours=1) * number / len(late)
            self.events.add(Event(created, created - timedelta(seconds=seconds)))
        self.now += hours * timedelta(hours=1)

    @precondition(lambda self: self.now > NOON)
    @rule(ends=st.tuples(st.floats(0, 1), st.floats(0, 1)))
    def book(self, ends: tuple[float, float]) -> None:
        first, last = sorted(NOON + (self.now - NOON) * end for end in ends)
        if first == last:
            return
        new = Interval(first, last)
        self.missed |= {event for event in self.events if first <= event.created <= last} - self.stored
        merged = absorb([one.gap for one in self.gaps], new)
        if merged is not None:
            met = touched([one.gap for one in self.gaps], new)
            self.gaps = [one for one in self.gaps if one.gap not in met] + [Booked(merged)]

    @precondition(lambda self: self.gaps)
    @rule(which=st.integers(0, 20), newest=st.booleans(), longest=st.integers(0, 8 * 86400))
    def read(self, which: int, newest: bool, longest: int) -> None:
        booked = self.gaps[which % len(self.gaps)]
        if booked.unread is None:
            booked.unread = windows(to_read(booked.gap, lateness=None, now=self.now))
        window = booked.unread.pop(0 if newest else -1)
        part, rest = newest_part(window, timedelta(seconds=longest))
        if rest is not None:
            booked.unread.append(rest)
        for event in self.events:
            if part.start <= (event.created if self.by_creation else event.happened) <= part.end:
                self.stored.add(event)
        booked.gap = replace(booked.gap, filled_up_to=filled(booked.gap, unread=booked.unread))
        if not booked.unread:
            self.gaps.remove(booked)

    @invariant()
    def what_is_missing_lies_in_an_open_gap(self) -> None:
        for event in self.missed - self.stored:
            assert any(one.gap.left.start <= event.created <= one.gap.left.end for one in self.gaps)

    @invariant()
    def open_gaps_lie_apart(self) -> None:
        spans = sorted(one.gap.span for one in self.gaps)
        assert all(one.end < other.start for one, other in pairwise(spans))


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_ledger_would_notice_a_vehicle_whose_clock_is_ahead() -> None:
    """The margin is there for what happened, by its own clock, after it was created."""
    assert to_read(gap(0, 1), lateness=None, now=NOON + 9 * DAY).end - (NOON + DAY) == AHEAD
