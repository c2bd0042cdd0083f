"""What is done about an answer of history that does not come, and how much is asked for next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_ingestor.backfilling import Asked
from mixhaul_ingestor.history import ROOM, Again, Narrow, after_answer, after_failure
from mixhaul_mix.errors import (
    AnswerCutShort,
    AnswerTooLarge,
    ConnectionFailed,
    MixError,
    OrganisationForbidden,
    PageInvalid,
    ServerError,
    Throttled,
    Timeout,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)

TOO_LARGE = AnswerTooLarge("x")
SLOW = Timeout(host="h", phase="read", sent=True)
NOT_SENT = Timeout(host="h", phase="connect", sent=False)
AWAY = ConnectionFailed(host="h", detail="refused", sent=False)


@pytest.mark.parametrize(
    ("error", "window", "attempts", "expected"),
    [
        pytest.param(TOO_LARGE, WEEK, 0, Narrow(WEEK / 2), id="too large"),
        pytest.param(TOO_LARGE, 3 * SECOND, 0, Narrow(SECOND), id="too large: three seconds"),
        pytest.param(TOO_LARGE, SECOND, 0, Again(10 * MINUTE, floor=True), id="too large: a second is the floor"),
        pytest.param(SLOW, WEEK, 0, Narrow(WEEK / 2), id="slow"),
        pytest.param(SLOW, HOUR, 2, Again(4 * SECOND), id="slow: an hour is the floor"),
        pytest.param(NOT_SENT, WEEK, 9, Again(512 * SECOND), id="not even sent"),
        pytest.param(ServerError(504), WEEK, 1, Again(2 * SECOND), id="trouble: once more as it is"),
        pytest.param(ServerError(504), WEEK, 2, Narrow(WEEK / 2), id="trouble: perhaps a time-out of a gateway"),
        pytest.param(PageInvalid("x"), WEEK, 2, Narrow(WEEK / 2), id="no list"),
        pytest.param(AnswerCutShort(host="h", detail="x"), HOUR, 2, Again(4 * SECOND), id="cut short"),
        pytest.param(AWAY, WEEK, 30, Again(10 * MINUTE), id="away for long"),
        pytest.param(Throttled(retry_after_seconds=99), WEEK, 0, Again(99 * SECOND), id="throttled"),
        pytest.param(OrganisationForbidden(1), WEEK, 0, Again(10 * MINUTE, floor=True), id="refused"),
        pytest.param(OrganisationForbidden(1), WEEK, 9, Again(HOUR, floor=True), id="refused for long"),
    ],
)
def test_after_a_failure(error: MixError, window: timedelta, attempts: int, expected: Narrow | Again) -> None:
    assert after_failure(error, window=window, attempts=attempts, first_wait=SECOND) == expected


@given(st.integers(2, 7 * 86400))
def test_halving_comes_to_a_second_and_never_to_nothing(seconds: int) -> None:
    steps = 0
    window = timedelta(seconds=seconds)
    while isinstance(what := after_failure(TOO_LARGE, window=window, attempts=0, first_wait=SECOND), Narrow):
        assert SECOND <= what.longest < window
        window, steps = what.longest, steps + 1
    assert (window, steps <= 20) == (SECOND, True)


@pytest.mark.parametrize(
    ("longest", "window", "size", "seconds", "expected"),
    [
        pytest.param(HOUR, HOUR, 1000, 1.0, 2 * HOUR, id="there was room"),
        pytest.param(HOUR, HOUR, ROOM + 1, 1.0, HOUR, id="nearly full"),
        pytest.param(HOUR, HOUR, 1000, 61.0, HOUR, id="slow"),
        pytest.param(WEEK, WEEK, 1000, 1.0, WEEK, id="never more than a week"),
        pytest.param(HOUR, MINUTE, 1000, 1.0, HOUR, id="a small rest says nothing"),
    ],
)
def test_after_an_answer(longest: timedelta, window: timedelta, size: int, seconds: float, expected: timedelta) -> None:
    assert after_answer(longest, window=window, body_bytes=size, seconds=seconds) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"from": "2026-11-01T00:00:00+00:00"},
        {"from": "2026-11-01T00:00:00", "to": "2026-11-02T00:00:00"},
        {"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"},
        {"from": "1926-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"},
        {"from": "x", "to": "y"},
        {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z", "organisation": "x"},
    ],
)
def test_a_request_that_makes_no_sense_is_said_so(parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"offset|ten years"):
        Asked.of(parameters)


def test_a_request_in_whole_seconds_and_not_beyond_now() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    asked = Asked.of({"from": "2026-11-19T01:00:00.5+02:00", "to": "2030-01-01T00:00:00Z", "organisation": "-5"})
    span = asked.span(now=now)
    assert span is not None
    assert (span.start, span.end, asked.organisation) == (datetime(2026, 11, 18, 23, tzinfo=UTC), now, -5)
    assert asked.span(now=datetime(2026, 11, 1, tzinfo=UTC)) is None
