"""Rows made anew by another decoder than the first time: what changes, what stays, and what comes out of quarantine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mixhaul_store import reprocessing, retention
from mixhaul_store.records import EVENT_VALUE_COLUMNS, EventRow, Record, Rejected
from mixhaul_store.reprocessing import Selection, Tally
from mixhaul_store.retention_plan import Policy
from support.store_haul import NOON, Haul, event, later, raw, record

ALL = "SELECT * FROM telemetry_events ORDER BY external_id"
VALUE = EVENT_VALUE_COLUMNS.index("value")
Reading = Callable[[EventRow], EventRow]


class Kept:
    """Remembers the events of each delivered page, for their bodies are no JSON here."""

    def __init__(self, haul: Haul) -> None:
        self.haul = haul
        self.pages: dict[datetime, list[EventRow]] = {}

    async def deliver(self, *rows: EventRow, at: datetime, bad: Sequence[EventRow] = ()) -> None:
        self.haul.unreadable = {raw(row) for row in bad}
        self.pages[at] = list(rows)
        await self.haul.deliver(*rows, at=at)

    async def reprocess(
        self,
        selection: Selection | None = None,
        *,
        read: Reading = lambda row: row,
        version: str = "2",
        stop_after: int | None = None,
        **options: Any,
    ) -> Tally:
        by_raw = {raw(row): row for rows in self.pages.values() for row in rows}

        def decode(records: Sequence[Record]) -> tuple[list[EventRow], list[Rejected]]:
            return [read(by_raw[one.raw]) for one in records], []

        database, total = self.haul.database, Tally()
        run = await reprocessing.begin(database, selection or Selection(), version=version, **options)
        async for page in reprocessing.pages(database, run):
            if page.alone:
                records = [record(by_raw[one]) for one in page.alone]
            else:
                records = [record(row) for row in self.pages[page.observed_at]]
            total.add(
                await reprocessing.apply(
                    database, run, page, (records, []), decode=decode, dry=options.get("dry", False)
                )
            )
            if stop_after == total.pages:
                return total
        await reprocessing.finish(database, run)
        return total


@pytest.fixture
def kept(haul: Haul) -> Kept:
    return Kept(haul)


async def values(haul: Haul) -> dict[int, Any]:
    return {row["external_id"]: row["value"] for row in await haul.rows(ALL)}


def tenfold(row: EventRow) -> EventRow:
    """As a better decoder reads it."""
    changed = list(row.values)
    changed[VALUE] = None if row.values[VALUE] is None else row.values[VALUE] * 10
    return row._replace(values=tuple(changed))


async def test_a_better_decoder_changes_what_it_reads_differently_and_nothing_else(kept: Kept, haul: Haul) -> None:
    await kept.deliver(event(1, value=1.0), event(2), event(3, value=0.0), at=later(0))
    await kept.deliver(event(1, value=2.0), at=later(60))
    before = await haul.rows(ALL)
    assert (await kept.reprocess(read=tenfold, dry=True)).updated == 1
    assert await haul.rows(ALL) == before
    done = await kept.reprocess(read=tenfold)
    assert (done.pages, done.records, done.inserted, done.updated) == (2, 4, 0, 1)
    assert await values(haul) == {1: 20.0, 2: None, 3: 0.0}
    for row in before:
        row["value"] = 20.0 if row["external_id"] == 1 else row["value"]
    assert await haul.rows(ALL) == before, "the page and the time of each version stay"
    assert (await kept.reprocess(read=tenfold, version="3")).updated == 0


async def test_what_is_read_at_another_time_moves_and_is_not_doubled(kept: Kept, haul: Haul) -> None:
    await kept.deliver(event(1), event(2, None), at=later(0))
    await kept.reprocess(read=lambda row: row._replace(occurred_at=NOON - timedelta(days=100)))
    assert {row["occurred_at"] for row in await haul.rows(ALL)} == {NOON - timedelta(days=100)}
    assert {row["occurred_at"] for row in await haul.rows("SELECT * FROM event_keys")} == {NOON - timedelta(days=100)}
    assert len(await haul.rows(ALL)) == 2


async def test_a_record_in_quarantine_is_stored_once_it_can_be_read(kept: Kept, haul: Haul) -> None:
    old, bad = event(1, value=1.0), event(1, value=2.0)
    await kept.deliver(old, bad, event(2, value=5.0), event(3), at=later(0), bad=[bad, event(3)])
    assert await values(haul) == {1: 1.0, 2: 5.0}
    done = await kept.reprocess(Selection(quarantined=True), read=tenfold)
    assert (done.inserted, done.updated, done.resolved) == (1, 1, 2)
    assert await values(haul) == {1: 20.0, 2: 5.0, 3: None}, "the last of the page counts, and others are left alone"
    assert await haul.rows("SELECT FROM quarantined_records WHERE resolved_at IS NULL") == []
    assert (await kept.reprocess(Selection(quarantined=True))).pages == 0


async def test_newer_truth_is_never_overwritten_by_a_record_out_of_quarantine(kept: Kept, haul: Haul) -> None:
    bad = event(1, value=1.0)
    await kept.deliver(bad, at=later(0), bad=[bad])
    await kept.deliver(event(1, value=2.0), at=later(60))
    done = await kept.reprocess(Selection(quarantined=True))
    assert (done.updated, done.resolved) == (0, 1)
    assert await values(haul) == {1: 2.0}


async def test_a_bad_record_that_came_again_after_a_good_one_is_the_newer_truth(kept: Kept, haul: Haul) -> None:
    bad = event(1, value=1.0)
    await kept.deliver(bad, at=later(0), bad=[bad])
    await kept.deliver(event(1, value=2.0), at=later(60))
    await kept.deliver(bad, at=later(120), bad=[bad])
    assert len(await haul.rows("SELECT FROM quarantined_records")) == 1
    await kept.reprocess(Selection(quarantined=True))
    assert await values(haul) == {1: 1.0}
    assert (await haul.row(ALL))["observed_at"] == later(120)
    # And one that can't be read again is in quarantine again.
    await kept.deliver(bad, event(1, value=9.0), event(2), at=later(180), bad=[event(2)])
    await kept.deliver(event(1, value=7.0), at=later(240), bad=[event(1, value=7.0)])
    assert len(await haul.rows("SELECT FROM quarantined_records WHERE resolved_at IS NULL")) == 2


async def test_a_record_in_quarantine_whose_page_is_gone_is_tried_by_itself(kept: Kept, haul: Haul) -> None:
    await kept.deliver(event(1, value=1.0), event(2), at=later(0), bad=[event(1, value=1.0)])
    async with haul.database.connection() as connection:
        await connection.execute("DELETE FROM raw_pages")
    done = await kept.reprocess(Selection(quarantined=True))
    assert (done.inserted, done.resolved) == (1, 1)
    assert await values(haul) == {1: 1.0, 2: None}
    assert {row["observed_at"] for row in await haul.rows(ALL)} == {later(0)}


async def test_a_run_that_was_cut_off_goes_on_and_another_version_begins_anew(kept: Kept, haul: Haul) -> None:
    for number in range(5):
        await kept.deliver(event(number, value=1.0), at=later(number))
    assert (await kept.reprocess(read=tenfold, stop_after=2)).updated == 2
    assert (await kept.reprocess(read=tenfold)).updated == 3
    assert (await kept.reprocess(stop_after=2)).pages == 2
    assert (await kept.reprocess(version="3")).pages == 5
    assert (await kept.reprocess(stop_after=1)).pages == 1
    assert (await kept.reprocess(anew=True)).pages == 5
    assert await haul.rows("SELECT selection FROM reprocess_runs") == []


async def test_only_the_pages_that_were_asked_for(kept: Kept, haul: Haul) -> None:
    for number in range(4):
        await kept.deliver(event(number, value=1.0), at=later(number))
    between = Selection(begin=later(1), end=later(3))
    assert (await kept.reprocess(between, read=tenfold)).pages == 2
    assert await values(haul) == {0: 1.0, 1: 10.0, 2: 10.0, 3: 1.0}
    assert (await kept.reprocess(Selection(organisation=1))).pages == 0
    assert (await kept.reprocess(Selection(organisation=-4242))).pages == 4


async def test_what_retention_took_does_not_come_back(kept: Kept, haul: Haul) -> None:
    now = datetime.now(UTC)
    await kept.deliver(event(1, now - timedelta(days=40)), event(2, now), at=now)
    await retention.run(haul.database, {"fleet/mix": Policy(event_days=30)}, epoch=haul.epoch, pause_seconds=0)
    done = await kept.reprocess()
    assert (done.inserted, done.expired) == (0, 1)
    assert list(await values(haul)) == [2]


async def test_an_organisation_that_was_deleted_meanwhile_is_left_alone(kept: Kept, haul: Haul) -> None:
    await kept.deliver(event(1), at=later(0))
    async with haul.database.connection() as connection:
        await connection.execute("DELETE FROM organisations; DELETE FROM telemetry_events; DELETE FROM event_keys")
    assert (await kept.reprocess()).inserted == 0
    assert await haul.rows(ALL) == []


async def test_amendments_stay_applied_to_rows_that_are_made_anew(kept: Kept, haul: Haul) -> None:
    rows = [event(number, value=1.0, reported_driver_external_id=5) for number in (1, 2, 3)]
    await kept.deliver(*rows, at=later(0))
    async with haul.database.connection() as connection:
        await connection.execute(
            "INSERT INTO amendments (organisation_id, external_id, amendment_type, new_driver_external_id, raw_page_id,"
            " observed_at) VALUES (%(id)s, 1, 'QuarantinedEvent', NULL, 1, now()),"
            " (%(id)s, 2, 'ReassignedEvent', 9, 1, now())",
            {"id": haul.organisation_id},
        )
    query = "SELECT driver_external_id, reported_driver_external_id, value FROM telemetry_events ORDER BY external_id"
    assert (await kept.reprocess(read=tenfold)).updated == 3
    expected = [{"driver_external_id": who, "reported_driver_external_id": 5, "value": 10.0} for who in (None, 9, 5)]
    assert await haul.rows(query) == expected
    async with haul.database.connection() as connection:
        await connection.execute("DELETE FROM telemetry_events; DELETE FROM event_keys")
    assert (await kept.reprocess(read=tenfold)).inserted == 3
    assert await haul.rows(query) == expected
