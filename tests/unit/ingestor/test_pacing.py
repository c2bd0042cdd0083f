"""Decisions of a feed as tables and properties: where it begins, how much it asks for, when a token is dead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_ingestor import pacing

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
AGREED = pacing.Clocks(NOW, NOW)
DAY = timedelta(days=1)


def exactly(moment: datetime) -> pacing.Reach:
    return pacing.Reach(moment, moment)


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
    assert not pacing.is_dead(exactly(start.begins_at), now=AGREED)


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
    at = exactly(NOW - age)
    assert (pacing.is_dead(at, now=AGREED), pacing.may_be_dead(at, now=AGREED)) == (dead, dying)


def test_a_token_that_reads_as_no_time_counts_from_when_it_came() -> None:
    received = NOW - timedelta(hours=3)
    assert pacing.position("opaque", token_time=None, received_at=received, now=NOW) == received
    assert pacing.position("9999", token_time=NOW + timedelta(days=900), received_at=received, now=NOW) == received
    assert pacing.position("x", token_time=NOW, received_at=received, now=NOW) == NOW


@pytest.mark.parametrize("days", [-4_000_000, -10, 0, 10, 2_900_000])
def test_whatever_date_the_answers_carry_both_clocks_can_be_reckoned_with(days: int) -> None:
    now = pacing.clocks(ours=NOW, offset=timedelta(days=days))
    assert now.earlier <= NOW <= now.later
    for clock in (now.earlier, now.later):
        assert len(pacing.start("Oldest", now=clock).token) == 17
    assert pacing.reach(token_time=NOW, received_at=NOW, has_more=True, caught_up_at=None, now=now) == exactly(NOW)


def test_a_lying_clock_neither_ends_a_living_token_nor_hides_a_dead_one() -> None:
    for lie in (-10 * DAY, 10 * DAY):
        now = pacing.clocks(ours=NOW, offset=lie)
        assert not pacing.is_dead(exactly(NOW - 6 * DAY), now=now)
        assert pacing.may_be_dead(exactly(NOW - 8 * DAY), now=now)
    assert pacing.is_dead(exactly(NOW - 8 * DAY), now=pacing.clocks(ours=NOW, offset=10 * DAY))


@pytest.mark.parametrize("offset", [-8 * DAY, timedelta(), 8 * DAY])
def test_a_beginning_skips_nothing_and_tries_the_other_clock_when_it_is_refused(offset: timedelta) -> None:
    now = pacing.clocks(ours=NOW, offset=offset)
    first = pacing.beginning(now, refused=None)
    second = pacing.beginning(now, refused=first)
    assert first == min(NOW, NOW + offset)
    assert {first, second} == {NOW, NOW + offset}
    assert pacing.beginning(now, refused=second) == first
    # The offset came to be known by the refusal itself.
    assert pacing.beginning(now, refused=NOW) == NOW + offset


@pytest.mark.parametrize(
    ("has_more", "caught_up", "earliest"),
    [
        pytest.param(False, NOW - 2 * DAY, NOW - 2 * DAY, id="it was the last page"),
        pytest.param(True, NOW - 5 * DAY, NOW - 5 * DAY, id="a backlog since then"),
        pytest.param(True, None, NOW - 9 * DAY, id="the first backlog: as old as a token can be"),
        pytest.param(True, NOW - 20 * DAY, NOW - 9 * DAY, id="caught up longer ago than a token lives"),
        pytest.param(None, None, NOW - 9 * DAY, id="nobody knows"),
    ],
)
def test_a_token_that_is_no_time_has_read_at_least_this_far(
    has_more: bool | None, caught_up: datetime | None, earliest: datetime
) -> None:
    received = NOW - 2 * DAY
    at = pacing.reach(token_time=None, received_at=received, has_more=has_more, caught_up_at=caught_up, now=AGREED)
    assert at == pacing.Reach(earliest, received)
    assert at.exact is (has_more is False)


@given(st.integers(0, 20_000), st.integers(0, 10_000), st.integers(-15_000, 15_000))
def test_what_a_dead_token_leaves_reaches_from_its_position_to_where_the_feed_begins_anew(
    age: int, unsure: int, offset: int
) -> None:
    now = pacing.clocks(ours=NOW, offset=timedelta(minutes=offset))
    latest = NOW - timedelta(minutes=age)
    at = pacing.Reach(latest - timedelta(minutes=unsure), latest)
    if pacing.may_be_dead(at, now=now):
        since, until = pacing.missing(at, now=now)
        assert since <= at.earliest
        assert since < until
        assert until >= pacing.oldest(pacing.beginning(now, refused=None))


def test_only_when_every_size_was_refused_a_token_of_unknown_age_is_given_up() -> None:
    assert not pacing.has_tried_all(pacing.Failures(14, 14), page_size=1000)
    assert pacing.has_tried_all(pacing.Failures(15, 15), page_size=1000)
    assert pacing.has_tried_all(pacing.Failures(3, 3), page_size=1)
