"""One organisation that lives: it makes events as the clock moves on, the same ones for the same seed and clock.

What it makes depends on the seed, the start and the times alone, never on who asks when. Commands of the control port
(other rates, events on demand, moved clocks, faults of the making) are the exception: they are inputs too.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

import orjson

from mixhaul_simulator import badrecords
from mixhaul_simulator.errors import BadRequest
from mixhaul_simulator.eventmaker import EventMaker
from mixhaul_simulator.faults import MAKING, Faults
from mixhaul_simulator.feedlog import EventLog, Facts
from mixhaul_simulator.ids import Ids
from mixhaul_simulator.state import Interval, after_stops
from mixhaul_simulator.support import Support
from mixhaul_simulator.times import DAY, MINUTE, iso, read_iso

_NEVER: Final = 1 << 62
_RECENT: Final = 2000
_NULLABLE: Final = (
    *("EndDateTime", "StartOdometerKilometres", "EndOdometerKilometres", "StartPosition", "EndPosition", "Value"),
    *("ValueUnits", "FuelUsedLitres", "MediaUrls", "LocationId", "SpeedLimit"),
)
_ID_FIELDS: Final = ("EventId", "AssetId", "DriverId", "EventTypeId", "LocationId")


@dataclass(frozen=True, slots=True)
class Amendment:
    """An event that must not count, or that belongs to another driver."""

    event_id: int
    kind: str
    at_ms: int
    new_driver_id: int | None

    def body(self) -> dict[str, Any]:
        return {
            "EventId": self.event_id,
            "AmendmentType": self.kind,
            "AmendmentDate": iso(self.at_ms),
            "NewDriverId": self.new_driver_id,
        }


@dataclass(frozen=True, slots=True)
class Pace:
    """Events a millisecond: as a quiet fleet (for history and jumps of the clock), and live."""

    quiet: float
    live: float


class Organisation:
    """Its lists, its log of events and its amendments."""

    def __init__(
        self,
        *,
        group_id: int,
        name: str,
        seed: str,
        ids: Ids,
        support: Support,
        faults: Faults,
        pace: Pace,
        history_ms: int,
        start_ms: int,
        stops: tuple[Interval, ...] = (),
    ) -> None:
        self.group_id = group_id
        self.name = name
        self.support = support
        self.log = EventLog()
        self.amendments: list[Amendment] = []
        self.forbidden = False
        self.until_ms: int | None = None
        self.pace = pace
        self._random = Random(seed)
        self._ids = ids
        self._faults = faults
        self._stops = stops
        self.maker = EventMaker(random=self._random, ids=ids, support=support, ghosts=(ids.take(),))
        self._quiet_until = start_ms
        self._next = start_ms - history_ms if history_ms else start_ms
        self._schedule(self._next)

    @property
    def time_zone(self) -> str:
        return "America/Sao_Paulo"

    # The passing of time

    def advance(self, now_ms: int) -> None:
        """Make everything that is due."""
        limit = now_ms if self.until_ms is None else min(now_ms, self.until_ms)
        while self._next <= limit:
            self._upload(self._next)

    def live(self, *, pace: Pace, now_ms: int) -> None:
        """Another pace from now on."""
        self.pace = pace
        self._quiet_until = min(self._quiet_until, now_ms)
        self._schedule(now_ms)

    def jump(self, now_ms: int) -> None:
        """The clock was moved forward: the time between is filled as a quiet fleet would."""
        if self.pace.live > self.pace.quiet:
            self._quiet_until = now_ms
            self._schedule(self._last_due)

    def _schedule(self, after_ms: int) -> None:
        """When the next upload is due, and how many events it brings."""
        self._last_due = after_ms
        pace = self.pace.quiet if after_ms < self._quiet_until else self.pace.live
        if pace <= 0 and after_ms >= self._quiet_until:
            self._next = _NEVER
            return
        random = self._random.random
        if pace <= 0:
            self._schedule(self._quiet_until)
            return
        self._count = max(1 + int(random() * random() * 12), int(pace) + 1)
        gap = max(1, int(self._count / pace * (0.5 + random())))
        due = after_ms + gap
        if after_ms < self._quiet_until < due:
            self._schedule(self._quiet_until)
            return
        self._next = after_stops(due, self._stops)

    def _upload(self, at_ms: int) -> None:
        created_ms = self.log.time_for(at_ms)
        for record, facts in self.maker.upload(at_ms, self._count):
            self._add(created_ms, record, facts)
        dice = self._random.random()
        if dice < 0.05:
            self._afterthought(created_ms, dice)
        self._schedule(at_ms)

    def _afterthought(self, created_ms: int, dice: float) -> None:
        """Something about an earlier event: the same again, a later version, or an amendment."""
        log = self.log
        event_id = log.order[-1 - int(self._random.random() * min(len(log.order), _RECENT))]
        stored, facts = log.latest(event_id), log.facts_of(event_id)
        if stored is None or facts is None:
            return
        if dice < 0.015:
            log.put(created_ms, stored.record, facts)
        elif dice < 0.035:
            event = orjson.loads(stored.record)
            event["TotalOccurances"] += 1
            event["Value"] = None if dice < 0.018 else round(self._random.random() * 100, 3)
            event["FuelUsedLitres"] = 0
            log.put(created_ms, orjson.dumps(event), facts)
        elif dice < 0.043:
            self.amendments.append(Amendment(event_id, "QuarantinedEvent", created_ms, None))
        else:
            self.amendments.append(Amendment(event_id, "ReassignedEvent", created_ms, self.maker.someone()))

    def _add(self, created_ms: int, record: bytes, facts: Facts) -> int:
        """Into the log, as the faults of the making want it. Answers the event's id."""
        for fault in self._faults.strike(MAKING, "making", (self.group_id,)):
            if fault.kind == "bad-record":
                variant = fault.parameters.get("variant") or self._faults.pick(badrecords.VARIANTS)
                self.log.put_bad(created_ms, badrecords.spoil(record, variant, self._ids.take()), variant)
            else:
                record, facts = _altered(record, facts, fault.kind)
        self.log.put(created_ms, record, facts)
        return facts.event_id

    # On demand

    def make(self, *, count: int, overrides: dict[str, Any], now_ms: int, burst: bool, days_late: float) -> list[int]:
        """Events now, with some fields as wished. An `EventId` that exists gives a later version of that event."""
        made = []
        first = now_ms if burst else max(now_ms - count // 10, self.log.time_for(0))
        for number in range(count):
            created_ms = self.log.time_for(first if burst else first + number // 10)
            record, facts = self._base(overrides, created_ms - int(days_late * DAY))
            if overrides:
                record, facts = _overridden(record, overrides)
            made.append(self._add(created_ms, record, facts))
        return made

    def _base(self, overrides: dict[str, Any], started_ms: int) -> tuple[bytes, Facts]:
        if "EventId" in overrides:
            event_id = overrides["EventId"]
            stored, facts = self.log.latest(event_id), self.log.facts_of(event_id)
            if stored is not None and facts is not None:
                return stored.record, facts
        return self.maker.event(self.maker.vehicle(), started_ms)

    def amend(self, *, event_id: int, kind: str, new_driver_id: int | None, now_ms: int) -> Amendment:
        """An amendment now."""
        if self.log.latest(event_id) is None:
            raise BadRequest(f"organisation {self.group_id} has no event {event_id}")
        if kind not in ("QuarantinedEvent", "ReassignedEvent"):
            raise BadRequest(f"type must be QuarantinedEvent or ReassignedEvent, not {kind!r}")
        if kind == "ReassignedEvent" and new_driver_id is None:
            new_driver_id = self.maker.someone()
        amendment = Amendment(event_id, kind, now_ms, new_driver_id)
        self.amendments.append(amendment)
        return amendment


def quiet_pace(*, vehicles: int, events_per_vehicle_day: float) -> float:
    """Events a millisecond of a fleet that nobody speeds up."""
    return vehicles * events_per_vehicle_day / DAY


def live_pace(events_per_minute: float, *, organisations: int) -> float:
    """Events a millisecond of one organisation out of so many that share the rate."""
    return events_per_minute / MINUTE / max(1, organisations)


def facts_of(event: dict[str, Any]) -> Facts:
    """What history asks for, out of an event's fields."""
    started = event.get("StartDateTime") or event.get("EndDateTime")
    return Facts(
        event["EventId"],
        event.get("AssetId") or 0,
        event.get("DriverId") or 0,
        event.get("EventTypeId") or 0,
        read_iso(started, what="StartDateTime") if started else 0,
    )


def _overridden(record: bytes, overrides: dict[str, Any]) -> tuple[bytes, Facts]:
    event = orjson.loads(record) | overrides
    return orjson.dumps(event), facts_of(event)


def _altered(record: bytes, facts: Facts, kind: str) -> tuple[bytes, Facts]:
    event = orjson.loads(record)
    if kind == "null-fields":
        event.update(dict.fromkeys(_NULLABLE))
    elif kind == "enum-unknown":
        event["ValueType"], event["EventCategory"] = "Percentile", "Forecast"
        for name in ("StartPosition", "EndPosition"):
            if event[name] is not None:
                event[name]["Source"] = "Quantum"
    elif kind == "dates-wild":
        event["StartDateTime"] = "1970-01-01T00:00:00" if event["EventId"] % 2 else "2099-12-31T23:59:59.999Z"
    else:
        for name in _ID_FIELDS:
            if event[name] is not None:
                event[name] = -abs(event[name])
    return orjson.dumps(event), facts_of(event)
