"""The ledger of gaps on a real database: booked, laid out, read part by part, and closed with the last of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mixhaul_store import cursors, gaps, windows, work
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow
from mixhaul_store.errors import CursorMoved, StaleEpoch
from mixhaul_store.event_rows import Connection
from mixhaul_store.intervals import LATENESS, Interval
from mixhaul_store.page_rows import Written
from mixhaul_store.pages import Then, commit_answer
from mixhaul_store.records import Answer, EventRow, PageResult, Record, Rejected
from mixhaul_store.windows import Owner, Window
from support.store_haul import FEED, NOON, Haul, event, later, raw, record, rejected

DAY = timedelta(days=1)
LONG_AGO = datetime.now(UTC).replace(microsecond=0) - 20 * DAY


async def answer(
    haul: Haul,
    *rows: EventRow,
    at: datetime = NOON,
    bad: Sequence[Rejected] = (),
    then: Then | None = None,
    organisation: int | None = None,
) -> PageResult:
    """Commit an answer of history."""
    by_raw = {raw(row): row for row in rows}

    def decode(records: Sequence[Record]) -> tuple[list[EventRow], list[Rejected]]:
        return [by_raw[one.raw] for one in records], []

    async with haul.database.connection() as connection:
        return await commit_answer(
            connection,
            Answer(
                organisation_id=organisation or haul.organisation_id,
                feed="events:history",
                observed_at=at,
                requested_token="20261101000000/20261102000000",
                body=b"[...]",
                records=[record(row) for row in rows],
                rejected=bad,
            ),
            epoch=haul.epoch,
            decode=decode,
            then=then,
        )


async def book(haul: Haul, start: datetime, end: datetime, cause: str = "test") -> None:
    async with haul.database.transaction() as connection:
        await gaps.book(
            connection, organisation_id=haul.organisation_id, feed=FEED, span=Interval(start, end), cause=cause
        )


async def plan(haul: Haul) -> int:
    return await gaps.plan(haul.database, epoch=haul.epoch, organisation_id=haul.organisation_id, feed=FEED)


async def read_next(haul: Haul, longest: timedelta = 7 * DAY, *, owner: Owner | None = None) -> Window | None:
    """As backfill does, with an answer that holds nothing."""
    found = (await windows.next_of(haul.database, owner or Owner(haul.organisation_id))).window
    if found is None:
        return None
    window = await windows.narrow(haul.database, found, longest, epoch=haul.epoch)
    assert window is not None

    async def then(connection: Connection, written: Written) -> None:
        assert await windows.done(connection, window, written)
        if window.gap_id is not None:
            await gaps.part_was_read(connection, window.gap_id)

    await answer(haul, then=then)
    return window


async def test_an_answer_of_history_is_stored_as_a_page_is_and_moves_no_cursor(haul: Haul) -> None:
    await haul.deliver(event(1, value=1.0), at=later(10))
    before, mark = await haul.cursor(), await haul.watermark()
    result = await answer(haul, event(1, value=2.0), event(2), at=later(5), bad=[rejected(None, b"?")])
    assert (result.inserted, result.updated, result.unchanged, result.quarantined) == (1, 0, 1, 1)
    assert await haul.cursor() == before
    assert await haul.watermark() == mark + 1
    assert [(row["external_id"], row["value"]) for row in await haul.rows()] == [(1, 1.0), (2, None)]
    # What history says later is newer than what the feed said before, and the other way round.
    assert (await answer(haul, event(1, value=3.0), at=later(20))).updated == 1
    assert (await haul.deliver(event(1, value=4.0), at=later(15))).updated == 0
    page = await haul.row("SELECT * FROM raw_pages WHERE feed = 'events:history' ORDER BY id LIMIT 1")
    assert (page["requested_token"], page["next_token"], page["has_more_items"], page["records"]) == (
        "20261101000000/20261102000000",
        None,
        None,
        3,
    )
    # The same broken record, by the feed this time.
    await haul.deliver(bad=[rejected(None, b"?")], at=later(30))
    assert len(await haul.rows("SELECT * FROM quarantined_records")) == 1


async def test_whoever_leads_no_more_stores_no_answer(haul: Haul) -> None:
    await LeaderRow(haul.database, holder="leader-2", duration_seconds=15).acquire(force=True)
    with pytest.raises(StaleEpoch):
        await answer(haul, event(1))
    assert await haul.rows() == []


async def test_an_answer_and_what_belongs_to_it_are_one_transaction(haul: Haul) -> None:
    async def then(connection: Connection, written: Written) -> None:
        assert written.inserted == 1
        raise KeyError

    with pytest.raises(KeyError):
        await answer(haul, event(1), then=then)
    with pytest.raises(CursorMoved):
        await answer(haul, event(1), organisation=haul.organisation_id + 1000)
    assert await haul.rows() == []
    assert await haul.rows("SELECT * FROM raw_pages") == []


async def test_a_gap_is_closed_with_the_last_part_of_it_and_not_before(haul: Haul) -> None:
    await book(haul, LONG_AGO, LONG_AGO + DAY)
    assert (await plan(haul), await plan(haul)) == (9, 0)
    left = await gaps.left(haul.database, FEED)
    assert [(one.gaps, one.unread_seconds) for one in left] == [(1, (LATENESS + 2 * DAY).total_seconds())]
    seen: list[Interval] = []
    while (window := await read_next(haul)) is not None:
        seen.append(window.span)
        row = await haul.row("SELECT * FROM gaps")
        assert (row["state"], row["attempts"]) == ("closed" if len(seen) == 9 else "open", len(seen))
    assert seen[0].end == LONG_AGO + 2 * DAY
    assert seen[-1].start == LONG_AGO - LATENESS
    assert seen == sorted(seen, reverse=True)
    assert row["filled_up_to"] == row["to_time"]
    assert row["closed_at"] is not None
    assert await gaps.left(haul.database, FEED) == []


async def test_a_part_that_fails_stays_open_with_its_reason_and_holds_up_no_other(haul: Haul) -> None:
    await book(haul, LONG_AGO, LONG_AGO + 40 * timedelta(hours=1))
    await plan(haul)
    newest = (await windows.next_of(haul.database, Owner(haul.organisation_id))).window
    assert newest is not None
    await windows.failed(haul.database, newest, epoch=haul.epoch, error="too\0large", after=timedelta(hours=1))
    while await read_next(haul) is not None:
        pass
    found = await windows.next_of(haul.database, Owner(haul.organisation_id))
    assert found.window is None
    assert found.wait is not None
    assert timedelta(minutes=59) < found.wait <= timedelta(hours=1)
    row = await haul.row("SELECT * FROM gaps")
    assert (row["state"], row["last_error"], row["filled_up_to"]) == ("open", "too\ufffdlarge", None)
    await windows.failed(haul.database, newest, epoch=haul.epoch, error="never", after=None)
    assert await windows.next_of(haul.database, Owner(haul.organisation_id)) == windows.Next(None, None)


async def test_a_window_is_read_in_pieces_when_it_has_to_be(haul: Haul) -> None:
    await book(haul, LONG_AGO, LONG_AGO + DAY)
    await plan(haul)
    window = await read_next(haul, timedelta(hours=5))
    assert window is not None
    assert window.span == Interval(LONG_AGO + 2 * DAY - timedelta(hours=5), LONG_AGO + 2 * DAY)
    following = await read_next(haul, timedelta(hours=1))
    assert following is not None
    assert following.span.end == window.span.start
    # What lies before is not read, so nothing is known to be filled.
    assert (await haul.row("SELECT * FROM gaps"))["filled_up_to"] is None


async def test_a_gap_that_grows_is_laid_out_anew(haul: Haul) -> None:
    await book(haul, LONG_AGO, LONG_AGO + DAY, "first")
    await plan(haul)
    found = (await windows.next_of(haul.database, Owner(haul.organisation_id))).window
    assert found is not None
    await book(haul, LONG_AGO, LONG_AGO + timedelta(hours=12))
    assert await plan(haul) == 0, "it was held already"
    await book(haul, LONG_AGO + DAY, LONG_AGO + 3 * DAY, "second")
    assert await windows.narrow(haul.database, found, timedelta(hours=1), epoch=haul.epoch) is None
    assert await plan(haul) == 10
    assert (await haul.row("SELECT cause FROM gaps"))["cause"] == "first"


async def test_a_gap_that_is_not_over_is_not_read_yet(haul: Haul) -> None:
    await book(haul, LONG_AGO, datetime.now(UTC) + DAY)
    assert await plan(haul) == 0


async def test_how_late_events_come_is_remembered_and_wrong_clocks_are_not(haul: Haul) -> None:
    await haul.deliver(event(1, NOON - 50 * DAY), event(2, None), event(3, datetime(1970, 1, 1, tzinfo=UTC)))
    lateness = "SELECT largest_lateness FROM etl_control"
    assert (await haul.row(lateness))["largest_lateness"] is None
    await haul.deliver(event(4, NOON - 90 * DAY), event(5, NOON - 70 * DAY), at=NOON)
    assert (await haul.row(lateness))["largest_lateness"] == 90 * DAY
    await haul.deliver(event(6, NOON - 80 * DAY), at=NOON)
    await answer(haul, event(7, NOON - 300 * DAY))
    assert (await haul.row(lateness))["largest_lateness"] == 90 * DAY
    await book(haul, LONG_AGO, LONG_AGO + DAY)
    await plan(haul)
    oldest = await haul.row("SELECT min(from_time) AS start FROM backfill_windows")
    assert oldest["start"] == LONG_AGO - 90 * DAY


async def missing(haul: Haul, hours: float, *, since: datetime = LONG_AGO) -> bool:
    return await cursors.book_missing_page(
        haul.database,
        epoch=haul.epoch,
        organisation_id=haul.organisation_id,
        feed=FEED,
        span=Interval(since, since + timedelta(hours=hours)),
        at_least=timedelta(hours=1),
    )


async def test_a_page_that_does_not_come_is_booked_further_and_further(haul: Haul) -> None:
    assert await missing(haul, 3)
    assert not await missing(haul, 9), "it is being filled"
    async with haul.database.connection() as connection:
        await connection.execute("UPDATE gaps SET state = 'closed'")
    assert not await missing(haul, 3.5), "it is not worth it yet"
    assert await missing(haul, 4)
    # The page came, and another one does not.
    async with haul.database.connection() as connection:
        await connection.execute("UPDATE gaps SET state = 'closed'")
    assert await missing(haul, 1, since=LONG_AGO + 10 * DAY)
    rows = await haul.rows("SELECT from_time, to_time, cause FROM gaps ORDER BY id")
    hours = timedelta(hours=1)
    assert [(row["from_time"] - LONG_AGO, row["to_time"] - LONG_AGO) for row in rows] == [
        (0 * hours, 3 * hours),
        (3 * hours, 4 * hours),
        (240 * hours, 241 * hours),
    ]
    assert {row["cause"] for row in rows} == {"PageMissing"}


async def test_a_feed_remembers_when_it_first_began(haul: Haul) -> None:
    async def begin(at: datetime) -> datetime:
        return await cursors.begin(
            haul.database, epoch=haul.epoch, organisation_id=haul.organisation_id, feed=FEED, at=at
        )

    assert (await haul.cursor()).begun_at is None
    assert (await begin(NOON), await begin(later(60))) == (NOON, NOON)
    assert (await haul.cursor()).begun_at == NOON


async def test_a_request_is_laid_out_once_and_its_figures_go_with_what_is_stored(
    haul: Haul, database: Database
) -> None:
    await work.ask(database, source="fleet/mix", request_id="r", kind="backfill", parameters={})
    taken = await work.take(database, kinds=("backfill",), sources=None)
    assert taken is not None

    async def lay_out() -> None:
        await windows.add_for_request(
            database,
            taken.id,
            Interval(LONG_AGO, LONG_AGO + 8 * DAY),
            organisation_ids=[haul.organisation_id],
            epoch=haul.epoch,
        )

    await lay_out()
    owner = Owner(haul.organisation_id, taken.id)
    assert await read_next(haul) is None, "it is no gap's"
    window = await read_next(haul, owner=owner)
    assert window is not None
    await lay_out()
    state = await work.read(database, source="fleet/mix", request_id="r")
    assert state is not None
    figures: dict[str, Any] = {"total_seconds": 691200.0, "left_seconds": 86400.0}
    assert state.progress == figures | {"answers": 1, "inserted": 0, "updated": 0}
    left = (await windows.next_of(database, owner)).window
    assert left is not None
    await windows.failed(database, left, epoch=haul.epoch, error="why", after=None)
    assert await windows.unread(database, taken.id) == windows.Unread(86400.0, "why")
    await windows.forget_request(database, taken.id)
    assert await windows.unread(database, taken.id) == windows.Unread(0.0, None)
