"""Months of partitions: pure arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_store import months

MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2180, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.integers(0, 800), st.integers(0, 800))
def test_every_day_of_the_interval_is_in_a_wanted_month_and_none_is_missing_between(
    now: datetime, back: int, ahead: int
) -> None:
    found = months.wanted(now=now, back_days=back, ahead_days=ahead)
    assert all(one.day == 1 for one in found)
    assert [months.following(one) for one in found[:-1]] == list(found[1:])
    assert found[0] <= (now - timedelta(days=back)).date() < months.following(found[0])
    assert found[-1] <= (now + timedelta(days=ahead)).date() < months.following(found[-1])


@given(MOMENTS)
def test_an_hour_before_midnight_elsewhere_may_be_another_month_here(now: datetime) -> None:
    elsewhere = now.astimezone(timezone(timedelta(hours=-3)))
    assert months.month_of(elsewhere) == months.month_of(now) == date(now.year, now.month, 1)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without zone"):
        months.month_of(datetime(2026, 1, 1))  # noqa: DTZ001


def test_clocks_that_were_reset_or_run_ahead_get_no_partitions() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    found = [
        date(1970, 1, 1),
        date(1980, 1, 1),
        date(2016, 10, 1),
        date(2016, 11, 1),
        date(2027, 12, 1),
        date(2099, 1, 1),
    ]
    assert months.movable(found, now=now) == (date(2016, 11, 1), date(2027, 12, 1))


def test_the_number_of_partitions_is_bounded() -> None:
    now = datetime(2028, 2, 29, tzinfo=UTC)
    every = list(months.between(date(1900, 1, 1), date(2200, 1, 1)))
    assert len(months.movable(every, now=now)) <= (months.OLDEST_YEARS + 2) * 12
