"""Decisions of a feed as tables and properties: where it begins, how much it asks for, when a token is dead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_ingestor import pacing

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start_from", "expected"),
    [
        pytest.param("Now", pacing.Start(token="NEW", begins_at=None), id="from now on"),
        pytest.param(
            "Oldest",
            pacing.Start(token="20261117121000123", begins_at=NOW - timedelta(days=7) + timedelta(minutes=10)),
            id="the oldest, ten minutes inside of the seven days",
        ),
        pytest.param(
            NOW - timedelta(days=2),
            pacing.Start(token="20261122120000123", begins_at=NOW - timedelta(days=2)),
            id="a date that the feed still has",
        ),
        pytest.param(
            NOW - timedelta(days=30),
            pacing.Start(
                token="20261117121000123",
                begins_at=NOW - timedelta(days=7) + timedelta(minutes=10),
                gap_from=NOW - timedelta(days=30),
            ),
            id="an older date: the oldest, and a gap for the rest",
        ),
        pytest.param(
            NOW + timedelta(days=2),
            pacing.Start(token="20261124120000123", begins_at=NOW),
            id="a date to come skips nothing",
        ),
    ],
)
def test_where_a_feed_begins(start_from: object, expected: pacing.Start) -> None:
    assert pacing.start(start_from, now=NOW) == expected  # type: ignore[arg-type]


@given(st.integers(-9000, 1000))
def test_a_beginning_leaves_nothing_unaccounted_for(days: int) -> None:
    start_from = NOW + timedelta(days=days, minutes=days)
    start = pacing.start(start_from, now=NOW)
    assert start.begins_at is not None
    assert start.gap_from is not None or start.begins_at <= start_from or start_from > NOW
    if start.gap_from is not None:
        assert start.gap_from == start_from < start.begins_at
    assert not pacing.is_dead(start.begins_at, now=NOW)


@pytest.mark.parametrize(
    ("failures", "quantity", "wait"),
    [
        pytest.param(pacing.Failures(), 1000, 0.0, id="none"),
        pytest.param(pacing.Failures(1, 1), 1000, 1.0, id="the first"),
        pytest.param(pacing.Failures(2, 2), 1000, 2.0, id="the wait doubles"),
        pytest.param(pacing.Failures(3, 3), 500, 4.0, id="after three of a size, a smaller one"),
        pytest.param(pacing.Failures(6, 6), 100, 32.0, id="then 100"),
        pytest.param(pacing.Failures(9, 9), 10, 60.0, id="then 10, never more than a minute"),
        pytest.param(pacing.Failures(12, 12), 1, 60.0, id="then 1"),
        pytest.param(pacing.Failures(15, 15), 1, 600.0, id="then patiently"),
        pytest.param(pacing.Failures(500, 0), 1000, 60.0, id="an outage does not shrink the page"),
    ],
)
def test_what_is_asked_for_after_failures(failures: pacing.Failures, quantity: int, wait: float) -> None:
    assert pacing.next_attempt(failures, page_size=1000) == pacing.Attempt(quantity=quantity, wait_seconds=wait)


def test_a_retry_after_is_kept() -> None:
    attempt = pacing.next_attempt(pacing.Failures(1, 0), page_size=1000, retry_after_seconds=42.0)
    assert attempt.wait_seconds == 42.0


@given(st.integers(0, 100), st.integers(1, 1000))
def test_no_more_than_the_page_size_is_ever_asked_for(failures: int, page_size: int) -> None:
    attempt = pacing.next_attempt(pacing.Failures(failures, failures), page_size=page_size)
    assert 1 <= attempt.quantity <= page_size


@pytest.mark.parametrize(
    ("age", "dead", "dying"),
    [
        pytest.param(timedelta(days=7, seconds=1), True, True, id="past the cliff"),
        pytest.param(timedelta(days=7), False, True, id="at the cliff"),
        pytest.param(timedelta(days=7) - timedelta(minutes=5), False, True, id="within the margin"),
        pytest.param(timedelta(days=6), False, False, id="alive"),
    ],
)
def test_when_a_token_is_dead(age: timedelta, dead: bool, dying: bool) -> None:
    assert (pacing.is_dead(NOW - age, now=NOW), pacing.is_dying(NOW - age, now=NOW)) == (dead, dying)


def test_a_token_that_reads_as_no_time_counts_from_when_it_came() -> None:
    received = NOW - timedelta(hours=3)
    assert pacing.position("opaque", token_time=None, received_at=received, now=NOW) == received
    assert pacing.position("9999", token_time=NOW + timedelta(days=900), received_at=received, now=NOW) == received
    assert pacing.position("x", token_time=NOW, received_at=received, now=NOW) == NOW
