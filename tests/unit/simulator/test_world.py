"""The fleet lives by seed and clock alone, and keeps the truth through faults of its making."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from mixhaul_simulator import faults, truth
from mixhaul_simulator.clock import MovableClock
from mixhaul_simulator.faults import Faults
from mixhaul_simulator.organisation import Organisation
from mixhaul_simulator.settings import Settings
from mixhaul_simulator.times import DAY, HOUR, MINUTE
from mixhaul_simulator.world import World

START = 1_790_000_000_000


class Hand:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def world(hand: Hand | None = None, **changes: Any) -> World:
    settings = Settings(
        **{"drivers": 20, "vehicles": 5, "event_types": 25, "history_days": 1.0, "events_per_minute": 120.0, **changes}
    )
    clock = MovableClock(START, monotonic=hand or Hand())
    return World(settings, clock=clock, faults=Faults(seed=settings.seed), start_ms=START)


def first(made: World) -> Organisation:
    made.now_ms()
    return next(iter(made.organisations.values()))


def everything(organisation: Organisation) -> list[dict[str, Any]]:
    return truth.events(organisation, 0, 10**9)


def test_the_same_seed_and_clock_make_the_same_bytes_whoever_looks_and_when() -> None:
    seen = []
    for looks in ([300.0], [0.1, 7.77, 31.0, 299.5, 300.0]):
        hand = Hand()
        made = world(hand)
        for seconds in looks:
            hand.seconds = seconds
            organisation = first(made)
            page = organisation.log.page(START - DAY, 1000, now_ms=made.now_ms())
            organisation.log.given(page.token_ms)
        seen.append((organisation.log.records, organisation.log.created, organisation.amendments))
    assert seen[0] == seen[1]
    assert len(seen[0][0]) > 500


def test_another_seed_makes_another_fleet() -> None:
    assert first(world(seed=1)).log.records[:5] != first(world(seed=2)).log.records[:5]
    assert world(seed=1).organisations.keys().isdisjoint(world(seed=2).organisations.keys())


def test_the_fleet_has_what_the_contract_warns_of() -> None:
    organisation = first(world(history_days=7.0, events_per_vehicle_day=600.0))
    events = everything(organisation)
    ids = [int(event["EventId"]) for event in events]
    listed = {row["DriverId"] for row in truth.drivers(organisation, START)}
    assert min(ids) < -(2**53) and max(ids) > 2**53 and len(set(ids)) == len(ids)
    assert any(event["StartDateTime"] is None for event in events)
    assert any(event["EventCategory"] == "Notify" and event["EndDateTime"] is None for event in events)
    assert any(event["StartPosition"] and event["StartPosition"].get("FormattedAddress") for event in events)
    assert any(event["StartPosition"] and "Hdop" not in event["StartPosition"] for event in events)
    assert any(event["MediaUrls"] for event in events)
    assert any(event["StartDateTime"] and event["StartDateTime"][:10] < event["createdAt"][:10] for event in events)
    assert any(event["DriverId"] not in listed for event in events)
    assert {amendment.kind for amendment in organisation.amendments} == {"QuarantinedEvent", "ReassignedEvent"}
    assert len(organisation.log.order) < len(organisation.log.records), "something was delivered again"
    assert None in organisation.log.records, "something was changed"


def test_late_rows_appear_with_time() -> None:
    hand = Hand()
    made = world(hand)
    organisation = first(made)
    counts = []
    for minutes in (0, 60):
        hand.seconds = minutes * 60.0
        now = made.now_ms()
        rows = (
            truth.drivers(organisation, now),
            truth.vehicles(organisation, now),
            truth.event_types(organisation, now),
        )
        counts.append([len(each) for each in rows])
    assert counts == [[19, 4, 23], [20, 5, 25]]


def test_live_events_come_at_the_rate_asked_for() -> None:
    hand = Hand()
    made = world(hand, history_days=0.0, organisations=2, events_per_minute=600.0)
    hand.seconds = 1800.0
    made.now_ms()
    total = sum(len(organisation.log.order) for organisation in made.organisations.values())
    assert total == pytest.approx(600 * 30, rel=0.1)


def test_a_jump_of_the_clock_is_filled_as_a_quiet_fleet_would() -> None:
    made = world(history_days=0.0, organisations=1, events_per_minute=60000.0)
    made.move_clock(START + 2 * DAY)
    assert len(first(made).log.order) == pytest.approx(5 * 100 * 2, rel=0.3)


def test_stopped_means_stopped_and_until_means_until() -> None:
    hand = Hand()
    made = world(hand, organisations=1)
    made.set_events_per_minute(0)
    before = len(first(made).log)
    hand.seconds = 3600
    assert len(first(made).log) == before
    made.set_events_per_minute(600)
    made.stop_at(made.now_ms() + MINUTE)
    hand.seconds += 3600
    after = len(first(made).log)
    hand.seconds += 3600
    assert len(first(made).log) == after > before


def test_events_on_demand_take_the_wished_fields_and_can_change_an_earlier_one() -> None:
    made = world(events_per_minute=0.0)
    organisation = first(made)
    (event_id,) = organisation.make(count=1, overrides={"Value": 5}, now_ms=START, burst=False, days_late=0)
    before = len(organisation.log.order)
    organisation.make(count=1, overrides={"EventId": event_id, "Value": 6}, now_ms=START, burst=False, days_late=0)
    latest = [event for event in everything(organisation) if event["EventId"] == str(event_id)]
    assert [event["Value"] for event in latest] == [6]
    assert len(organisation.log.order) == before


def test_a_burst_has_one_time_of_creation_and_is_never_behind_a_given_token() -> None:
    made = world(events_per_minute=0.0)
    organisation = first(made)
    token = organisation.log.page(0, 10**6, now_ms=START).token_ms
    organisation.log.given(token)
    organisation.make(count=1500, overrides={}, now_ms=START, burst=True, days_late=0)
    page = organisation.log.page(token, 10, now_ms=START)
    assert (len(page.records), page.has_more) == (1500, False)


def test_late_uploads_on_demand() -> None:
    made = world(events_per_minute=0.0, history_days=0.0)
    organisation = first(made)
    organisation.make(count=5, overrides={"StartDateTime": None}, now_ms=START, burst=False, days_late=0)
    organisation.make(count=5, overrides={}, now_ms=START, burst=False, days_late=3)
    late = [facts.started_ms for _, facts, _ in organisation.log.current()][5:]
    assert all(START - 3 * DAY - HOUR < started <= START - 3 * DAY + HOUR for started in late)


@pytest.mark.parametrize("variant", faults.BAD_VARIANTS)
def test_bad_records_stand_beside_the_good_ones(variant: str) -> None:
    made = world(events_per_minute=0.0, history_days=0.0)
    made.faults.add(faults.parse({"kind": "bad-record", "count": 3, "variant": variant}))
    organisation = first(made)
    ids = organisation.make(count=6, overrides={}, now_ms=START, burst=False, days_late=0)
    assert [event["EventId"] for event in everything(organisation)] == [str(event_id) for event_id in ids]
    bad = truth.quarantinable(organisation)
    assert [record["variant"] for record in bad] == [variant] * 3
    assert len({record["record"] for record in bad}) == 3
    assert len(organisation.log.page(0, 100, now_ms=START).records) == 9


def test_faults_of_the_making_are_in_the_truth() -> None:
    made = world(events_per_minute=0.0, history_days=0.0)
    organisation = first(made)

    def one(kind: str) -> dict[str, Any]:
        made.faults.add(faults.parse({"kind": kind, "count": 1}))
        (event_id,) = organisation.make(count=1, overrides={}, now_ms=START, burst=False, days_late=0)
        stored = organisation.log.latest(event_id)
        assert stored is not None
        return dict(orjson.loads(stored.record))

    assert all(one("null-fields")[name] is None for name in ("Value", "StartPosition", "SpeedLimit", "EndDateTime"))
    assert one("enum-unknown")["ValueType"] == "Percentile"
    assert one("negative-ids")["DriverId"] < 0
    assert {one("dates-wild")["StartDateTime"][:4] for _ in range(20)} == {"1970", "2099"}
