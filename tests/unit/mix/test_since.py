"""Times in URLs, and feed tokens: opaque, one path segment, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_mix.since import day_stamp, first_token, is_token, stamp, time_token, token_segment, token_time

NOON = datetime(2026, 3, 9, 12, 5, 7, 123456, tzinfo=UTC)


def test_times_are_written_in_utc() -> None:
    brazil = NOON.astimezone(timezone(timedelta(hours=-3)))
    assert (stamp(brazil), day_stamp(brazil), time_token(brazil)) == (
        "20260309120507",
        "20260309",
        "20260309120507123",
    )


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        stamp(NOON.replace(tzinfo=None))


def test_the_first_token_is_ten_minutes_inside_the_seven_days() -> None:
    assert first_token(NOON) == "20260302121507123"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("20260309120507123", NOON.replace(microsecond=123000)),
        ("20260309120507", NOON.replace(microsecond=0)),
        ("NEW", None),
        ("2026030912050712", None),
        ("20261309120507123", None),
        ("٢٠٢٦٠٣٠٩١٢٠٥٠٧١٢٣", None),
        ("opaque-token_1", None),
    ],
)
def test_a_token_is_read_as_a_time_where_it_looks_like_one(token: str, expected: datetime | None) -> None:
    assert token_time(token) == expected


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  (hypothesis wants naive bounds)
def test_tokens_of_ours_keep_their_time(moment: datetime) -> None:
    assert token_time(time_token(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize("token", ["", ".", "..", "a b", "a\tb", "é", "x" * 513])
def test_what_would_change_the_path_is_no_token(token: str) -> None:
    assert not is_token(token)
    with pytest.raises(ValueError, match="token"):
        token_segment(token)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80))
def test_a_token_survives_the_path(token: str) -> None:
    if token not in {".", ".."}:
        segment = token_segment(token)
        assert unquote(segment) == token
        assert "/" not in segment
        assert segment == token or not all(one.isalnum() or one in "-._~!$&'()*+,;=:@" for one in token)
        assert httpx.URL(f"http://mix/a/{segment}/b").raw_path == f"/a/{segment}/b".encode()
