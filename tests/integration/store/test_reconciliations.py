"""The book of comparisons, and what a comparison sees."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from mixhaul_store import comparison, progress, reconciliations
from mixhaul_store.elections import Epoch
from mixhaul_store.errors import StaleEpoch
from mixhaul_store.intervals import Interval
from mixhaul_store.reconciliations import Figures
from support.store_haul import FEED, NOON, Haul, event, later, record, rejected

DAY = date(2026, 11, 20)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
SPAN = Interval(MIDNIGHT, MIDNIGHT + timedelta(days=1))


async def compared(
    haul: Haul, *parts: Figures, day: date = DAY, request: int | None = None, finish: bool = True
) -> Figures | None:
    number = await reconciliations.begin(
        haul.database, epoch=haul.epoch, organisation_id=haul.organisation_id, day=day, up_to=SPAN.end,
        reason="daily" if request is None else "request", work_request_id=request,
    )  # fmt: skip
    for part in parts:
        async with haul.database.transaction() as connection:
            await reconciliations.add(connection, number, part)
    return await reconciliations.finish(haul.database, number, epoch=haul.epoch) if finish else None


async def missing(haul: Haul) -> int:
    (row,) = await progress.read(haul.database)
    return row.missing_events


async def test_parts_add_up_and_the_last_comparison_of_a_day_counts(haul: Haul) -> None:
    one = Figures(compared=5, missing=2, filled=1, unfilled=1, explanations={"unexplained": 2})
    whole = await compared(haul, one, Figures(compared=1, explanations={"unexplained": 1, "open gap": 1}))
    assert whole == Figures(compared=6, missing=2, filled=1, unfilled=1, explanations={"unexplained": 3, "open gap": 1})
    await compared(haul, one, day=DAY + timedelta(days=1))
    assert await missing(haul) == 2
    # One that was cut off ends no trouble; one that ended does.
    await compared(haul, Figures(compared=3), finish=False)
    assert await missing(haul) == 2
    await compared(haul, Figures(compared=6))
    assert await missing(haul) == 1
    last = await reconciliations.last_of_days(haul.database, haul.organisation_id, since=DAY)
    assert {day: one.figures.unfilled for day, one in last.items()} == {DAY: 0, DAY + timedelta(days=1): 1}
    assert await reconciliations.last_of_days(haul.database, haul.organisation_id, since=DAY + timedelta(days=2)) == {}


async def test_a_day_that_was_cut_off_and_begun_anew_forgets_nothing(haul: Haul) -> None:
    await compared(
        haul, Figures(compared=3, missing=2, filled=2, explanations={"unexplained": 2}), request=7, finish=False
    )
    await compared(haul, Figures(compared=9, missing=1, filled=1, explanations={"unexplained": 1}), request=7)
    await compared(haul, Figures(compared=9, missing=5, filled=5), request=8)
    assert await reconciliations.of_request(haul.database, 7) == {
        (-4242, DAY): Figures(compared=9, missing=3, filled=3, explanations={"unexplained": 3})
    }


async def test_only_the_leader_writes_the_book(haul: Haul) -> None:
    stale = Epoch(lease=haul.epoch.lease, epoch=haul.epoch.epoch - 1, holder=haul.epoch.holder)
    with pytest.raises(StaleEpoch):
        await reconciliations.begin(
            haul.database, epoch=stale, organisation_id=haul.organisation_id, day=DAY, up_to=SPAN.end, reason="daily"
        )
    with pytest.raises(StaleEpoch):
        await comparison.forget_rowless(
            haul.database, epoch=stale, organisation_id=haul.organisation_id, missing=[record(event(1))]
        )


async def test_the_first_day_is_decided_once(haul: Haul) -> None:
    for proposal in (DAY, DAY - timedelta(days=9), DAY + timedelta(days=9)):
        found = await reconciliations.first_day(haul.database, haul.organisation_id, proposal=proposal)
        assert found == DAY


async def test_when_a_feed_began(haul: Haul) -> None:
    assert await reconciliations.feed_began(haul.database, haul.organisation_id) is None
    await haul.deliver(at=later(5))
    assert await reconciliations.feed_began(haul.database, haul.organisation_id) == later(5)
    await haul.deliver(event(1), at=later(7))
    await haul.deliver(at=later(9))
    assert await reconciliations.feed_began(haul.database, haul.organisation_id) == later(7)


async def test_what_differs(haul: Haul) -> None:
    stored, changed, rowless, elsewhere, only = (event(number, value=1.0) for number in (1, 2, 3, 4, 5))
    elsewhere = event(4, NOON - timedelta(days=40))
    bad = rejected(None, b"{}")
    unreadable = record(event(6))
    await haul.deliver(stored, changed, rowless, elsewhere, only, bad=[bad])
    async with haul.database.connection() as connection:
        await connection.execute("DELETE FROM telemetry_events WHERE external_id = 3")
        await connection.execute(
            "INSERT INTO quarantined_records (organisation_id, feed, digest, reason, record, raw_page_id, observed_at)"
            " VALUES (%s, %s, %s, 'r', '', 0, now())",
            (haul.organisation_id, FEED, unreadable.digest),
        )
    answer = [
        record(stored), record(stored), record(event(2, value=2.0)), record(rowless), record(elsewhere), unreadable,
        record(event(7)),
    ]  # fmt: skip
    found = await comparison.compare(
        haul.database,
        organisation_id=haul.organisation_id,
        feed=FEED,
        span=SPAN,
        records=answer,
        rejected=[bad, rejected(None, b"new")],
    )
    assert [one.external_id for one in found.missing] == [3, 7]
    assert [one.external_id for one in found.differing] == [2]
    assert (len(found.records), found.quarantined, found.only_here, found.unkept) == (6, 1, 1, 1)
    forgotten = await comparison.forget_rowless(
        haul.database, epoch=haul.epoch, organisation_id=haul.organisation_id, missing=found.missing
    )
    assert forgotten == 1
