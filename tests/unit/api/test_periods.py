"""Times and days of the reader's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_api import periods

MOMENTS = st.integers(-2_000_000_000_000_000, 7_000_000_000_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2026, 3, 8), 24),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        ("America/Sao_Paulo", date(2018, 2, 17), 25),
        ("America/Sao_Paulo", date(2026, 11, 24), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ],
    ids=str,
)
def test_a_day_is_as_long_as_it_is_there(zone: str, day: date, hours: float) -> None:
    found = periods.period(day, day, ZoneInfo(zone))
    assert found.start is not None
    assert found.end is not None
    assert found.end - found.start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24", date(2026, 11, 24)),
        ("2026-11-24T08:00:00Z", datetime(2026, 11, 24, 8, tzinfo=UTC)),
        ("2026-11-24t08:00:00z", datetime(2026, 11, 24, 8, tzinfo=UTC)),
        ("2026-11-24T08:00:00-03:00", datetime(2026, 11, 24, 11, tzinfo=UTC)),
        ("2026-11-24T08:00:00+05:30", datetime(2026, 11, 24, 2, 30, tzinfo=UTC)),
        ("2026-11-24T08:00:00 05:30", datetime(2026, 11, 24, 2, 30, tzinfo=UTC)),
        ("2026-11-24T08:00:00.123456789Z", datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_date_or_a_time_with_an_offset(text: str, moment: periods.Moment) -> None:
    assert periods.parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026", "2026-11", "2026-13-01", "20261124", "٢٠٢٦-11-24", "2026-11-24 08:00:00Z"),
        *("2026-11-24T08:00:00", "2026-11-24T08:00Z", "2026-11-24T24:00:00Z", "2026-11-24T08:00:60Z"),
        *("2026-11-24T08:00:00+24:00", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"),
        "2026-11-24T08:00:00Z\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|is no"):
        periods.parse_moment(text)


@pytest.mark.parametrize("text", ["", "Mars", "../UTC", "/etc/localtime", "America", "America/", "UTC\0", "x" * 65])
def test_an_unknown_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        periods.parse_zone(text)
    assert periods.known_zone(text).key == "UTC"


def test_a_period_that_is_turned_round_or_empty_is_refused() -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    for start, end in ((noon, noon), (noon, noon - timedelta(1)), (date(2026, 2, 2), date(2026, 2, 1))):
        with pytest.raises(ValueError, match="after `from`"):
            periods.period(start, end, periods.UTC_ZONE)


@given(MOMENTS, st.sampled_from(["UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Monrovia", "Pacific/Apia"]))
def test_what_is_shown_is_read_back_to_the_millisecond(moment: datetime, zone: str) -> None:
    text = periods.show(moment, ZoneInfo(zone))
    read = periods.parse_moment(text)
    assert isinstance(read, datetime)
    assert timedelta(0) <= moment - read < timedelta(milliseconds=1)


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_the_calendar_are_shown_too(moment: datetime) -> None:
    for zone in ("America/Sao_Paulo", "Asia/Tokyo"):
        assert periods.show(moment, ZoneInfo(zone))[:4] in ("0001", "9999")
