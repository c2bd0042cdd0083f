"""Where a feed stands, what went wrong with it, and the gaps that a dead token leaves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from mixhaul_store import cursors
from mixhaul_store import gaps as gaps_book
from mixhaul_store.elections import LeaderRow
from mixhaul_store.errors import StaleEpoch
from support.store_haul import FEED, NOON, Haul, event, later

DAY = timedelta(days=1)


async def reseed(haul: Haul, since: datetime | None, until: datetime | None, cause: str = "TokenExpired") -> None:
    await cursors.reseed(
        haul.database,
        epoch=haul.epoch,
        organisation_id=haul.organisation_id,
        feed=FEED,
        gap_from=since,
        gap_to=until,
        cause=cause,
    )
    haul.token = None


async def record_error(haul: Haul, error: str) -> None:
    await cursors.record_poll_error(
        haul.database, epoch=haul.epoch, organisation_id=haul.organisation_id, feed=FEED, error=error, kind="Throttled"
    )


async def gaps(haul: Haul) -> list[tuple[Any, ...]]:
    rows = await haul.rows("SELECT * FROM gaps ORDER BY from_time")
    return [(row["from_time"], row["to_time"], row["cause"], row["state"]) for row in rows]


async def test_a_feed_that_never_began_has_no_token(haul: Haul) -> None:
    cursor = await haul.cursor()
    assert cursor == cursors.Cursor(None, None, None, None, None, None, None, 0, None)
    assert await haul.cursor() == cursor


@pytest.mark.parametrize("more", [True, False])
async def test_after_page_says_what_the_database_says(haul: Haul, more: bool) -> None:
    await record_error(haul, "x")
    before = await haul.cursor()
    await haul.deliver(more=more, at=later(7))
    expected = cursors.after_page(before, token=haul.token or "", has_more=more, at=later(7))
    assert await haul.cursor() == expected


async def test_errors_are_counted_until_a_page_comes(haul: Haul) -> None:
    await record_error(haul, "first")
    await record_error(haul, "second \0" + "x" * 5000)
    cursor = await haul.cursor()
    assert (cursor.consecutive_errors, (cursor.last_error or "")[:9]) == (2, "second �x")
    assert len(cursor.last_error or "") == 2000
    await haul.deliver()
    assert ((await haul.cursor()).consecutive_errors, (await haul.cursor()).last_error) == (0, None)


async def test_reseeding_forgets_the_token_and_writes_the_gap(haul: Haul) -> None:
    await haul.deliver(event(1))
    await reseed(haul, NOON - 8 * DAY, NOON - 7 * DAY)
    cursor = await haul.cursor()
    assert (cursor.token, cursor.token_received_at, cursor.has_more_items) == (None, NOON, None)
    assert await gaps(haul) == [(NOON - 8 * DAY, NOON - 7 * DAY, "TokenExpired", "open")]
    assert (await haul.deliver(event(2))).inserted == 1


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([(0, 2), (1, 3)], [(0, 3)]),
        ([(0, 2), (2, 3)], [(0, 3)]),
        ([(1, 3), (0, 2)], [(0, 3)]),
        ([(0, 1), (2, 3)], [(0, 1), (2, 3)]),
        ([(0, 1), (2, 3), (1, 2)], [(0, 3)]),
        ([(0, 9), (2, 3)], [(0, 9)]),
        ([(3, 3), (4, 3)], []),
    ],
)
async def test_open_gaps_that_touch_become_one(
    haul: Haul, intervals: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    for since, until in intervals:
        await reseed(haul, NOON + since * DAY, NOON + until * DAY)
    assert [(one[0], one[1]) for one in await gaps(haul)] == [(NOON + a * DAY, NOON + b * DAY) for a, b in expected]
    async with haul.database.connection() as connection:
        end = await gaps_book.latest_end(connection, haul.organisation_id, FEED)
        await connection.execute("UPDATE gaps SET state = 'closed'")
        assert await gaps_book.latest_end(connection, haul.organisation_id, FEED) == end
    assert end == (NOON + expected[-1][1] * DAY if expected else None)


async def test_a_gap_that_only_grows_forward_keeps_what_was_filled(haul: Haul) -> None:
    await reseed(haul, NOON, NOON + 2 * DAY, "first")
    async with haul.database.connection() as connection:
        await connection.execute("UPDATE gaps SET filled_up_to = %s, attempts = 4", (NOON + DAY,))
    await reseed(haul, NOON + DAY, NOON + 3 * DAY, "second")
    row = await haul.row("SELECT * FROM gaps")
    assert (row["cause"], row["filled_up_to"], row["attempts"]) == ("first", NOON + DAY, 4)
    await reseed(haul, NOON - DAY, NOON, "third")
    assert (await haul.row("SELECT * FROM gaps"))["filled_up_to"] is None


async def test_closed_gaps_and_other_feeds_are_left_alone(haul: Haul) -> None:
    await reseed(haul, NOON, NOON + DAY)
    async with haul.database.connection() as connection:
        await connection.execute("UPDATE gaps SET state = 'closed'")
    await reseed(haul, NOON, NOON + 2 * DAY)
    assert [one[3] for one in await gaps(haul)] == ["closed", "open"]


async def test_reseeding_without_an_interval_writes_no_gap(haul: Haul) -> None:
    await reseed(haul, None, NOON)
    assert await gaps(haul) == []


async def test_a_stale_leader_neither_reseeds_nor_records(haul: Haul) -> None:
    await haul.deliver()
    before = await haul.cursor()
    await LeaderRow(haul.database, holder="leader-2", duration_seconds=15).acquire(force=True)
    with pytest.raises(StaleEpoch):
        await reseed(haul, NOON, NOON + DAY)
    with pytest.raises(StaleEpoch):
        await record_error(haul, "x")
    assert (await haul.cursor(), await gaps(haul)) == (before, [])
