"""As of when an answer is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mixhaul_api import freshness
from mixhaul_api.freshness import Progress

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
RECEIVED = NOW - timedelta(minutes=1)
TOKEN_TIME = datetime(2026, 11, 24, 11, 30, 15, 123000, tzinfo=UTC)

BEHIND = Progress(
    organisation_id=1,
    now=NOW,
    token="20261124113015123",
    token_received_at=RECEIVED,
    has_more=True,
    caught_up_at=NOW - timedelta(hours=9),
    last_poll_at=RECEIVED,
    last_data_at=RECEIVED,
    consecutive_errors=0,
    gaps=(),
    gap_count=0,
    synced_at=None,
    sync_finished_at=None,
    sync_result=None,
)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (BEHIND, TOKEN_TIME),
        (replace(BEHIND, has_more=False, caught_up_at=NOW), NOW),
        (replace(BEHIND, has_more=None), TOKEN_TIME),
        (replace(BEHIND, token="20991124113015123"), RECEIVED),
        (replace(BEHIND, token="opaque"), RECEIVED),
        (replace(BEHIND, token=None), RECEIVED),
        (replace(BEHIND, token=None, token_received_at=None, caught_up_at=None), None),
        (replace(BEHIND, token=None, token_received_at=None), None),
    ],
    ids=["behind", "caught up", "unknown", "clock ahead", "another form", "no token", "never polled", "reseeded"],
)
def test_as_of(progress: Progress, expected: datetime | None) -> None:
    assert freshness.as_of(progress) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("20261124113015123", TOKEN_TIME),
        ("20261124113015", TOKEN_TIME.replace(microsecond=0)),
        ("20261124113015123456789", TOKEN_TIME.replace(microsecond=123456)),
        ("20261324113015123", None),
        ("NEW", None),
        ("2026112411301512x", None),
        ("", None),
        (None, None),
    ],
)
def test_the_time_of_a_token_is_read_leniently(token: str | None, expected: datetime | None) -> None:
    assert freshness.token_time(token) == expected


def test_a_lag_is_never_negative() -> None:
    assert freshness.lag_seconds(replace(BEHIND, has_more=False, caught_up_at=NOW + timedelta(seconds=2))) == 0
    assert freshness.lag_seconds(BEHIND) == 1784.877
