"""The spans of a performance report, and whether it may call them complete."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_api.freshness import Progress
from mixhaul_api.report.calendar import calendar, iso_week, span
from mixhaul_api.report.completeness import Books, Missing, missing

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
BERLIN = ZoneInfo("Europe/Berlin")
MONTHS = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(lambda day: day.replace(day=1))
ZONES = st.sampled_from(
    ["UTC", "America/Sao_Paulo", "Europe/Berlin", "America/Havana", "Pacific/Apia", "Asia/Kathmandu", "Africa/Cairo"]
).map(ZoneInfo)


def test_the_weeks_of_a_month_are_iso_weeks_cut_off_at_its_ends() -> None:
    found = calendar(date(2026, 3, 1), SAO_PAULO)
    assert [(iso_week(one), one.first.isoformat(), one.last.isoformat()) for one in found.weeks] == [
        ("2026-W09", "2026-03-01", "2026-03-01"),
        ("2026-W10", "2026-03-02", "2026-03-08"),
        ("2026-W11", "2026-03-09", "2026-03-15"),
        ("2026-W12", "2026-03-16", "2026-03-22"),
        ("2026-W13", "2026-03-23", "2026-03-29"),
        ("2026-W14", "2026-03-30", "2026-03-31"),
    ]
    assert [(one.first.isoformat(), one.last.isoformat()) for one in found.months] == [
        ("2026-01-01", "2026-01-31"),
        ("2026-02-01", "2026-02-28"),
        ("2026-03-01", "2026-03-31"),
    ]
    assert found.month.start == datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert found.month.end == datetime(2026, 4, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "weeks"),
    [("2027-02", 4), ("2026-11", 6), ("2026-02", 5), ("2027-01", 5), ("2026-12", 5)],
)
def test_a_month_has_four_to_six_weeks(month: str, weeks: int) -> None:
    assert len(calendar(date.fromisoformat(f"{month}-01"), SAO_PAULO).weeks) == weeks


def test_a_week_of_january_may_be_one_of_the_year_before() -> None:
    assert iso_week(calendar(date(2027, 1, 1), SAO_PAULO).weeks[0]) == "2026-W53"


@pytest.mark.parametrize(("month", "hours"), [("2026-03", 31 * 24 - 1), ("2026-10", 31 * 24 + 1), ("2026-05", 31 * 24)])
def test_a_month_is_as_long_as_its_days(month: str, hours: int) -> None:
    one = calendar(date.fromisoformat(f"{month}-01"), BERLIN).month
    assert one.end - one.start == timedelta(hours=hours)


def test_a_day_that_begins_at_one_o_clock_begins_there() -> None:
    # In 2018 the clocks of São Paulo jumped from midnight of 4 November to 1 o'clock.
    one = span(date(2018, 11, 4), date(2018, 11, 4), SAO_PAULO)
    assert one.start == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert one.end - one.start == timedelta(hours=23)


@given(MONTHS, ZONES)
def test_the_weeks_are_the_month_and_the_edges_rise(month: date, zone: ZoneInfo) -> None:
    found = calendar(month, zone)
    assert found.weeks[0].start == found.month.start
    assert found.weeks[-1].end == found.month.end
    for one, following in (*pairwise(found.weeks), *pairwise(found.months)):
        assert one.end == following.start
        assert one.last + timedelta(days=1) == following.first
    assert all(one.first.isoweekday() == 1 for one in found.weeks[1:])
    assert all(one.last.isoweekday() == 7 for one in found.weeks[:-1])
    assert len(found.edges) == 2 + len(found.weeks) + 1
    assert all(one < following for one, following in pairwise(found.edges))


MARCH = span(date(2026, 3, 1), date(2026, 3, 31), SAO_PAULO)
LONG_AGO = Books(datetime(2020, 1, 1, tzinfo=UTC))


def progress(
    *,
    now: datetime = datetime(2026, 4, 2, tzinfo=UTC),
    reached: datetime | None = datetime(2026, 4, 1, 3, tzinfo=UTC),
    gaps: tuple[tuple[datetime, datetime], ...] = (),
    older_gaps: int = 0,
) -> Progress:
    return Progress(
        organisation_id=1,
        now=now,
        token=None,
        token_received_at=reached,
        has_more=False,
        caught_up_at=reached,
        last_poll_at=reached,
        last_data_at=reached,
        consecutive_errors=0,
        gaps=gaps,
        gap_count=len(gaps) + older_gaps,
        synced_at=None,
        sync_finished_at=None,
        sync_result=None,
    )


def gap(first: str, last: str) -> tuple[tuple[datetime, datetime], ...]:
    return ((datetime.fromisoformat(f"{first}T00:00:00Z"), datetime.fromisoformat(f"{last}T00:00:00Z")),)


@pytest.mark.parametrize(
    ("state", "books", "wanted"),
    [
        (progress(), LONG_AGO, []),
        (progress(now=datetime(2026, 4, 1, 2, 59, tzinfo=UTC)), LONG_AGO, [Missing.NOT_OVER]),
        (progress(reached=datetime(2026, 4, 1, 2, 59, tzinfo=UTC)), LONG_AGO, [Missing.NOT_UP_TO_DATE]),
        (progress(reached=None), LONG_AGO, [Missing.NOT_UP_TO_DATE]),
        (
            progress(now=datetime(2026, 3, 2, tzinfo=UTC), reached=None),
            LONG_AGO,
            [Missing.NOT_OVER, Missing.NOT_UP_TO_DATE],
        ),
        (progress(gaps=gap("2026-03-10", "2026-03-11")), LONG_AGO, [Missing.OPEN_GAPS]),
        # What happened in March may have been created in the 30 days after it, and not before it.
        (progress(gaps=gap("2026-04-20", "2026-04-21")), LONG_AGO, [Missing.OPEN_GAPS]),
        (progress(gaps=gap("2026-05-02", "2026-05-03")), LONG_AGO, []),
        (progress(gaps=gap("2026-02-20", "2026-03-01")), LONG_AGO, []),
        (progress(older_gaps=1), LONG_AGO, [Missing.OPEN_GAPS]),
        # The feed begins with what was created in the seven days before.
        (progress(), Books(datetime(2026, 3, 8, 3, tzinfo=UTC)), []),
        (progress(), Books(datetime(2026, 3, 8, 4, tzinfo=UTC)), [Missing.BEFORE_THE_HAUL]),
        (progress(), Books(LONG_AGO.claimed_at, kept_days=33), []),
        (progress(), Books(LONG_AGO.claimed_at, kept_days=31), [Missing.NOT_KEPT]),
        (progress(), Books(LONG_AGO.claimed_at, missing_days=[date(2026, 3, 31)]), [Missing.EVENTS_MISSING]),
        (progress(), Books(LONG_AGO.claimed_at, missing_days=[date(2026, 2, 28), date(2026, 4, 2)]), []),
    ],
    ids=[
        *("complete", "not over", "behind", "nothing yet", "begun and nothing yet", "gap within", "gap after"),
        *("gap long after", "gap before", "older gaps", "hauled from its first moment", "hauled since it began"),
        *("kept", "kept in part", "a day missing", "other days missing"),
    ],
)
def test_what_a_month_lacks(state: Progress, books: Books, wanted: list[Missing]) -> None:
    assert missing(MARCH, state, books) == wanted


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T00:00:00Z")


@pytest.mark.parametrize(
    ("backfills", "since"),
    [
        ([], "2026-06-03"),
        ([("2026-05-01", "2026-06-05")], "2026-05-01"),
        ([("2026-03-01", "2026-05-01"), ("2026-05-01", "2026-06-03")], "2026-03-01"),
        ([("2026-05-01", "2026-06-02")], "2026-06-03"),
        ([("2026-01-01", "2026-02-01"), ("2026-05-01", "2026-06-05")], "2026-05-01"),
        ([("2026-05-20", "2026-07-01"), ("2026-04-01", "2026-06-04")], "2026-04-01"),
    ],
    ids=["none", "one", "two in a row", "not as far as the feed", "a hole", "one within another"],
)
def test_backfills_that_lead_up_to_the_feed_lengthen_it(backfills: list[tuple[str, str]], since: str) -> None:
    books = Books(day("2026-06-10"), backfills=[(day(begin), day(end)) for begin, end in backfills])
    assert books.hauled_since == day(since)
