"""Which days are due, what explains a difference, which days of amendments are read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_ingestor import completeness
from mixhaul_ingestor.completeness import amendment_windows, days_of, due, figures, first_day, sentence, start_of
from mixhaul_store.comparison import After, Differences
from mixhaul_store.intervals import LATENESS, Interval
from mixhaul_store.reconciliations import Day, Figures, Surroundings
from mixhaul_store.records import Record

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOW.date()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONG_AGO = date(2026, 1, 1)


def ago(days: int) -> date:
    return TODAY - days * DAY


def compared(days_ago: int, *, at: datetime = NOW - HOUR, unfilled: int = 0) -> dict[date, Day]:
    return {ago(days_ago): Day(ago(days_ago), at, Figures(unfilled=unfilled))}


def test_days_of_an_interval() -> None:
    assert days_of(start_of(TODAY), start_of(TODAY) + 2 * DAY) == [TODAY, TODAY + DAY]
    assert days_of(NOW, NOW + HOUR) == [TODAY]
    assert days_of(NOW, start_of(TODAY) + DAY) == [TODAY]


@pytest.mark.parametrize(
    ("start_from", "expected"),
    [
        ("Oldest", date(2026, 11, 18)),
        ("Now", date(2026, 11, 25)),
        (datetime(2026, 3, 1, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2026, 3, 1, 1, tzinfo=UTC), date(2026, 3, 2)),
    ],
)
def test_the_first_whole_day_of_a_feed(start_from: completeness.StartFrom, expected: date) -> None:
    assert first_day(NOW, start_from) == expected


def test_every_day_of_the_last_six_weeks_is_due_the_newest_first() -> None:
    days = due(first=LONG_AGO, last={}, now=NOW, keeps=None)
    assert days == [ago(number) for number in range(2, 42)]
    assert due(first=ago(4), last={}, now=NOW, keeps=None) == [ago(2), ago(3), ago(4)]
    assert due(first=LONG_AGO, last={}, now=NOW, keeps=3 * DAY) == [ago(2)]


@pytest.mark.parametrize(
    ("number", "at", "unfilled", "expected"),
    [
        pytest.param(2, NOW - HOUR, 0, False, id="compared today"),
        pytest.param(2, NOW - DAY, 0, True, id="compared on request, too early to stand for the second day"),
        pytest.param(8, NOW - 6 * DAY, 0, False, id="between two dates"),
        pytest.param(9, NOW - 7 * DAY, 0, True, id="the ninth day"),
        pytest.param(9, start_of(TODAY), 0, False, id="at the very beginning of the ninth day"),
        pytest.param(35, NOW - 26 * DAY, 0, True, id="the 35th day"),
        pytest.param(36, NOW - DAY, 0, False, id="all done"),
        pytest.param(36, NOW - 20 * DAY, 0, True, id="an outage on the 35th day"),
        pytest.param(3, NOW - 7 * HOUR, 1, True, id="something could not be filled"),
        pytest.param(3, NOW - 5 * HOUR, 1, False, id="but not again and again"),
    ],
)
def test_a_day_is_due(number: int, at: datetime, unfilled: int, expected: bool) -> None:
    last = compared(number, at=at, unfilled=unfilled)
    assert (ago(number) in due(first=LONG_AGO, last=last, now=NOW, keeps=None)) == expected


@given(st.lists(st.integers(1, 200), max_size=60))
def test_no_outage_makes_a_date_be_forgotten(steps: list[int]) -> None:
    """However irregularly a leader looks, each date that has passed is followed by a comparison of that day."""
    now = start_of(TODAY)
    day, last = TODAY, None
    for hours in steps:
        now += hours * HOUR
        if now - start_of(day) > completeness.LOOK_BACK:
            break
        found: Mapping[date, Day] = {day: last} if last else {}
        if day in due(first=day, last=found, now=now, keeps=None):
            last = Day(day, now, Figures())
        passed = [start_of(day) + stage for stage in completeness.STAGES if start_of(day) + stage <= now]
        assert not passed or (last is not None and last.finished_at >= passed[-1])


def record(number: int) -> Record:
    return Record(number, number, b"")


def differences(missing: int = 0, differing: int = 0, **more: int) -> Differences:
    values: dict[str, Any] = {"quarantined": 0, "only_here": 0, "unkept": 0} | more
    records = [record(number) for number in range(missing + differing)]
    return Differences(records=records, missing=records[:missing], differing=records[missing:], **values)


def after(**changes: Any) -> After:
    values: dict[str, Any] = {
        "filled": 0, "arrived": 0, "kept_in_quarantine": 0, "still_missing": (), "kept_since": None, "changed": 0,
        "changed_and_amended": 0,
    }  # fmt: skip
    return After(**values | changes)


WELL = Surroundings((), NOW - timedelta(minutes=1))
GAP = Surroundings((Interval(NOW - 3 * DAY, NOW - 2 * DAY),), NOW)


@pytest.mark.parametrize(
    ("found", "then", "moment", "around", "expected"),
    [
        pytest.param(1, after(filled=1), NOW - DAY, WELL, {"unexplained": 1}, id="no reason is known"),
        pytest.param(1, after(filled=1), None, WELL, {"unexplained": 1}, id="no reason and no time"),
        pytest.param(1, after(filled=1), NOW - 2 * DAY, GAP, {"open gap": 1}, id="in a gap"),
        pytest.param(1, after(filled=1), NOW - 3 * DAY - LATENESS, GAP, {"open gap": 1}, id="uploaded late, in a gap"),
        pytest.param(1, after(filled=1), NOW - 4 * DAY - LATENESS, GAP, {"unexplained": 1}, id="too old for the gap"),
        pytest.param(1, after(filled=1), None, GAP, {"open gap": 1}, id="at any time, perhaps in a gap"),
        pytest.param(1, after(filled=1), NOW, WELL, {"feed behind": 1}, id="newer than what the feed has read"),
        pytest.param(
            1, after(filled=1), NOW - DAY, Surroundings((), NOW - HOUR), {"feed behind": 1}, id="the feed lags"
        ),
        pytest.param(1, after(filled=1), NOW - DAY, Surroundings((), None), {"feed behind": 1}, id="it never ended"),
        pytest.param(
            2, after(filled=1, arrived=1), NOW - DAY, WELL, {"arrived meanwhile": 1, "unexplained": 1}, id="one came"
        ),
        pytest.param(1, after(kept_in_quarantine=1), NOW - DAY, WELL, {"unreadable": 1}, id="it can't be read"),
        pytest.param(
            1, after(still_missing=(0,), kept_since=NOW), NOW - DAY, WELL, {"expired": 1}, id="older than is kept"
        ),
    ],
)
def test_why_something_was_missing(
    found: int, then: After, moment: datetime | None, around: Surroundings, expected: dict[str, int]
) -> None:
    times = {} if moment is None else dict.fromkeys(range(found), moment)
    told = figures(differences(found), then, times=times, around=around, at=NOW)
    assert told.explanations == expected
    assert (told.missing, told.filled, told.unfilled) == (found, found, 0)


def test_what_could_not_be_filled_is_told() -> None:
    told = figures(differences(3), after(filled=2, still_missing=(1,)), times={}, around=WELL, at=NOW)
    assert (told.missing, told.filled, told.unfilled, told.explanations) == (3, 2, 1, {"unexplained": 3})


def test_what_differs() -> None:
    told = figures(
        differences(0, 5, quarantined=2, only_here=4),
        after(changed=3, changed_and_amended=1),
        times={}, around=WELL, at=NOW,
    )  # fmt: skip
    assert told == Figures(
        compared=5, differing=3, rewritten=2, quarantined=2, only_here=4,
        explanations={"amended": 1, "newer version": 2},
    )  # fmt: skip


def test_figures_add_up() -> None:
    one = Figures(compared=1, missing=2, filled=1, unfilled=1, explanations={"a": 1, "b": 1})
    two = Figures(compared=10, explanations={"b": 5})
    assert one + two == Figures(compared=11, missing=2, filled=1, unfilled=1, explanations={"a": 1, "b": 6})


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (Figures(compared=1234), "Compared 1,234 events of 7 days of 1 organisation: nothing is missing and nothing"),
        (
            Figures(compared=9, missing=2, filled=2, differing=1, explanations={"unexplained": 2, "newer version": 1}),
            "2 missing, all of them filled; 1 brought up to date (newer version 1, unexplained 2).",
        ),
        (Figures(compared=9, missing=2, filled=1, unfilled=1), "2 missing, 1 of them filled."),
    ],
)
def test_the_sentence(whole: Figures, expected: str) -> None:
    assert expected in sentence(whole, days=7, organisations=1)


WEEK = (ago(6), TODAY)


@pytest.mark.parametrize(
    ("read", "wanted_from", "expected"),
    [
        pytest.param(None, TODAY, [WEEK], id="for the first time"),
        pytest.param((ago(6), TODAY), TODAY, [WEEK], id="today again"),
        pytest.param((ago(30), ago(1)), TODAY, [WEEK], id="a day later"),
        pytest.param((ago(30), ago(3)), TODAY, [(ago(8), ago(7)), WEEK], id="after three days"),
        pytest.param((ago(30), ago(12)), TODAY, [(ago(17), ago(11)), (ago(10), ago(7)), WEEK], id="after twelve days"),
        pytest.param((ago(7), ago(7)), TODAY, [(ago(7), ago(7)), WEEK], id="a week after the first day"),
        pytest.param(None, ago(15), [WEEK, (ago(13), ago(7)), (ago(15), ago(14))], id="with a gap"),
        pytest.param((ago(8), ago(1)), ago(9), [WEEK, (ago(9), ago(9))], id="a gap that is older than what was read"),
        pytest.param((ago(8), ago(1)), ago(8), [WEEK], id="a gap that was read"),
    ],
)
def test_the_days_of_amendments(
    read: tuple[date, date] | None, wanted_from: date, expected: list[tuple[date, date]]
) -> None:
    assert amendment_windows(read=read, wanted_from=wanted_from, today=TODAY) == expected


SOME_DAYS = st.integers(0, 120).map(ago)


@given(st.none() | st.tuples(SOME_DAYS, SOME_DAYS).filter(lambda days: days[0] <= days[1]), SOME_DAYS, st.data())
def test_a_reading_that_is_cut_off_leaves_no_hole(
    read: tuple[date, date] | None, wanted_from: date, data: st.DataObject
) -> None:
    windows = amendment_windows(read=read, wanted_from=wanted_from, today=TODAY)
    assert all(timedelta(0) <= last - first <= 6 * DAY for first, last in windows)
    done = data.draw(st.integers(1, len(windows)))
    covered = set() if read is None else set(days_of(start_of(read[0]), start_of(read[1]) + DAY))
    for first, last in windows[:done]:
        covered |= set(days_of(start_of(first), start_of(last) + DAY))
    assert len(covered) == (max(covered) - min(covered)).days + 1
    if done == len(windows):
        assert max(covered) == TODAY
        assert min(covered) <= wanted_from
