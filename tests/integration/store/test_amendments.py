"""Amendments: kept once, applied in any order, never undone by what the feed says again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from mixhaul_store import amendments, organisations
from mixhaul_store.amendments import Amendment, Answer, Stored
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch
from mixhaul_store.errors import StaleEpoch
from support.store_haul import NOON, Haul, begin, event, later, rejected

QUARANTINED, REASSIGNED = "QuarantinedEvent", "ReassignedEvent"
DAY = timedelta(days=1)


def answer(
    haul: Haul, *given: Amendment, first: date = date(2026, 11, 14), last: date = date(2026, 11, 20), **more: Any
) -> Answer:
    values: dict[str, Any] = {"observed_at": NOON, "body": b"[]"} | more
    return Answer(haul.organisation_id, first, last, amendments=given, **values)


async def amend(haul: Haul, *given: Amendment, epoch: Epoch | None = None, **more: Any) -> Stored:
    return await amendments.commit(haul.database, answer(haul, *given, **more), epoch=epoch or haul.epoch)


async def drivers(haul: Haul) -> dict[int, tuple[int | None, int | None]]:
    rows = await haul.rows("SELECT external_id AS id, driver_external_id, reported_driver_external_id AS reported"
                           " FROM telemetry_events")  # fmt: skip
    return {row["id"]: (row["driver_external_id"], row["reported"]) for row in rows}


async def test_events_that_are_there(haul: Haul) -> None:
    await haul.deliver(*(event(number, reported_driver_external_id=7) for number in (1, 2, 3)))
    mark = await haul.watermark()
    given = (Amendment(1, QUARANTINED, NOON), Amendment(2, REASSIGNED, NOON, 2**63 - 1))
    assert await amend(haul, *given) == Stored(new=2, events_changed=2, quarantined=0)
    assert await drivers(haul) == {1: (None, 7), 2: (2**63 - 1, 7), 3: (7, 7)}
    assert await haul.watermark() == mark + 1
    assert await amend(haul, *given) == Stored(0, 0, 0)
    assert await haul.watermark() == mark + 1


async def test_amendments_that_come_before_their_event_and_versions_that_come_after(haul: Haul) -> None:
    await amend(haul, Amendment(1, REASSIGNED, NOON, 8), Amendment(99, QUARANTINED, NOON))
    await haul.deliver(event(1, reported_driver_external_id=7), event(2, reported_driver_external_id=7))
    assert await drivers(haul) == {1: (8, 7), 2: (7, 7)}
    # A later version, and one that moves the row into another month.
    await haul.deliver(event(1, reported_driver_external_id=9, value=1.0), at=later(1))
    assert await drivers(haul) == {1: (8, 9), 2: (7, 7)}
    await haul.deliver(event(1, NOON - 60 * DAY, reported_driver_external_id=9), at=later(2))
    assert await drivers(haul) == {1: (8, 9), 2: (7, 7)}
    await amend(haul, Amendment(1, QUARANTINED, NOON + DAY))
    assert (await drivers(haul))[1] == (None, 9)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("given", "driver"),
    [
        pytest.param([(QUARANTINED, NOON, None), (REASSIGNED, NOON + DAY, 8)], 8, id="the later date wins"),
        pytest.param([(REASSIGNED, NOON, 8), (QUARANTINED, NOON, None)], None, id="of one date the quarantine"),
        pytest.param([(REASSIGNED, NOON, 8), (REASSIGNED, NOON, 9)], 8, id="of one date the lower id"),
        pytest.param([(REASSIGNED, None, 8), (REASSIGNED, NOON - 900 * DAY, 9)], 9, id="no date is the oldest"),
        pytest.param([(REASSIGNED, NOON, None)], None, id="nobody is named"),
        pytest.param([("Postponed", NOON, 8)], 7, id="an unknown type decides nothing"),
        pytest.param([(REASSIGNED, NOON, 8), ("Postponed", NOON + DAY, 9)], 8, id="nor does it undo"),
    ],
)
async def test_which_decides(haul: Haul, given: list[tuple[Any, ...]], driver: int | None, turned: bool) -> None:
    await haul.deliver(event(1, reported_driver_external_id=7))
    for one in reversed(given) if turned else given:
        await amend(haul, Amendment(1, *one))
    assert await drivers(haul) == {1: (driver, 7)}
    assert len(await haul.rows("SELECT * FROM amendments")) == len(given)


async def test_what_is_kept(haul: Haul) -> None:
    bad = rejected(None, b'{"AmendmentType": 0}', "EventId is missing")
    whole = Amendment(-(2**63), "Neu", NOON, 5, '{"Why": "çà", "n": 9007199254740993}')
    assert await amend(haul, whole, body=b"[1, 2]", rejected=[bad]) == Stored(1, 0, 1)
    page = await haul.row("SELECT * FROM raw_pages")
    assert (page["feed"], page["requested_token"], page["records"], page["body_bytes"]) == (
        "amendments", "2026-11-14/2026-11-20", 2, 6,
    )  # fmt: skip
    kept = await haul.row("SELECT * FROM amendments")
    assert (kept["external_id"], kept["amendment_type"], kept["raw_page_id"]) == (-(2**63), "Neu", page["id"])
    assert (kept["amended_at"], kept["extra"]) == (NOON, {"Why": "çà", "n": 2**53 + 1})
    assert (await haul.row("SELECT feed, reason FROM quarantined_records")) == {
        "feed": "amendments", "reason": "EventId is missing",
    }  # fmt: skip


async def test_which_days_have_been_read(haul: Haul) -> None:
    assert await amendments.read_days(haul.database, haul.organisation_id) is None
    await amend(haul)
    await amend(haul, first=date(2026, 11, 1), last=date(2026, 11, 7), observed_at=later(-5))
    assert await amendments.read_days(haul.database, haul.organisation_id) == amendments.Read(
        date(2026, 11, 1), date(2026, 11, 20), NOON
    )
    assert await haul.rows("SELECT * FROM raw_pages") == []


async def test_a_leader_that_is_none_any_more_changes_nothing(haul: Haul) -> None:
    stale = Epoch(lease=haul.epoch.lease, epoch=haul.epoch.epoch - 1, holder=haul.epoch.holder)
    with pytest.raises(StaleEpoch):
        await amend(haul, Amendment(1, QUARANTINED, NOON), epoch=stale)
    assert await haul.rows("SELECT * FROM amendments") == []


Run = Callable[[Coroutine[Any, Any, Any]], Any]
EVENTS = st.integers(1, 4)
VERSIONS = st.tuples(EVENTS, st.sampled_from([None, 10, 11]), st.sampled_from([NOON, NOON - 60 * DAY]))
AMENDMENTS = st.builds(
    Amendment,
    EVENTS,
    st.sampled_from([QUARANTINED, REASSIGNED, "Neu"]),
    st.sampled_from([None, NOON, NOON + DAY]),
    st.sampled_from([None, 20, 21]),
    st.none(),
)


def decided(given: set[Amendment], external_id: int, reported: int | None) -> int | None:
    """Whom an event counts against, in plain words."""
    mine = [one for one in given if one.event == external_id and one.kind in (QUARANTINED, REASSIGNED)]
    if not mine:
        return reported
    latest = max(one.amended_at or datetime.min.replace(tzinfo=UTC) for one in mine)
    last = [one for one in mine if (one.amended_at or datetime.min.replace(tzinfo=UTC)) == latest]
    if any(one.kind == QUARANTINED or one.new_driver is None for one in last):
        return None
    return min(one.new_driver or 0 for one in last)


class Interleavings(RuleBasedStateMachine):
    """Events, versions, deliveries again and amendments, in any order, against a model of three lines."""

    run: Run
    first: Haul

    @initialize()
    def begin(self) -> None:
        self.haul = self.run(another(self.first))
        self.second = 0
        self.reported: dict[int, int | None] = {}
        self.given: set[Amendment] = set()
        self.said: list[tuple[int, int | None, datetime]] = []

    def deliver(self, versions: Sequence[tuple[int, int | None, datetime]]) -> None:
        self.second += 1
        rows = [event(number, at, reported_driver_external_id=driver) for number, driver, at in versions]
        self.run(self.haul.deliver(*rows, at=later(self.second)))
        self.reported |= {number: driver for number, driver, _ in versions}
        self.said += versions

    @rule(versions=st.lists(VERSIONS, min_size=1, max_size=4))
    def a_page(self, versions: list[tuple[int, int | None, datetime]]) -> None:
        self.deliver(versions)

    @rule(data=st.data())
    def an_event_again(self, data: st.DataObject) -> None:
        if self.said:
            self.deliver([data.draw(st.sampled_from(self.said))])

    @rule(given=st.lists(AMENDMENTS, min_size=1, max_size=3), twice=st.booleans())
    def amended(self, given: list[Amendment], twice: bool) -> None:
        new = len(set(given) - self.given)
        stored = self.run(amend(self.haul, *given))
        assert stored.new == new
        if twice:
            assert self.run(amend(self.haul, *reversed(given))) == Stored(0, 0, 0)
        self.given |= set(given)

    def teardown(self) -> None:
        if not hasattr(self, "haul"):
            return
        where = f"WHERE organisation_id = {self.haul.organisation_id}"
        rows = self.run(self.haul.rows(f"SELECT external_id, driver_external_id FROM telemetry_events {where}"))
        assert {row["external_id"]: row["driver_external_id"] for row in rows} == {
            number: decided(self.given, number, reported) for number, reported in self.reported.items()
        }


async def another(haul: Haul) -> Haul:
    """A new organisation under the same leader: emptying the tables would cost more than the test."""
    async with haul.database.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM organisations")).fetchone()
    assert row is not None
    made = await organisations.claim(haul.database, api_url="https://more", external_id=row[0], source="fleet/mix")
    other = Haul(haul.database, made.id, haul.epoch)
    await other.cursor()
    return other


def test_any_interleaving_comes_to_the_same(database_url: str) -> None:
    with asyncio.Runner() as runner:

        async def opened() -> tuple[Database, Haul]:
            database = await Database(database_url, application_name="mixhaul:test").__aenter__()
            return database, await begin(database)

        database, first = runner.run(opened())

        class Machine(Interleavings):
            run = staticmethod(runner.run)

        Machine.first = first
        try:
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=30, stateful_step_count=12, deadline=None,
                    suppress_health_check=[HealthCheck.too_slow], derandomize=True, database=None,
                ),
            )  # fmt: skip
        finally:
            runner.run(database.__aexit__(None, None, None))
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM amendments").fetchone()
    assert row is not None
    assert row[0] > 20
