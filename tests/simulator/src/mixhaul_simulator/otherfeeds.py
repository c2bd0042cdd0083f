"""Positions, trips and active events: simple living feeds by the same token rules as the event feed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

import orjson

from mixhaul_simulator.eventmaker import EventMaker
from mixhaul_simulator.feedlog import FeedLog
from mixhaul_simulator.ids import Ids
from mixhaul_simulator.times import DAY, MINUTE, SECOND, iso

KINDS: Final = ("positions", "trips", "activeevents")

Make = Callable[[int], bytes]


class OtherFeed:
    """One feed of one organisation. It begins to exist when it is first asked for, with its history."""

    def __init__(
        self, *, kind: str, seed: str, ids: Ids, maker_of: Callable[[Random], EventMaker], since_ms: int
    ) -> None:
        self.log = FeedLog()
        self._random = Random(f"{seed} {kind}")
        self._ids = ids
        self._maker = maker_of(self._random)
        self._next = since_ms
        makes: dict[str, Make] = {
            "positions": self._position,
            "trips": self._trip,
            "activeevents": self._active_event,
        }
        self._make = makes[kind]
        self._gap = {"positions": 2 * MINUTE, "trips": 10 * MINUTE, "activeevents": 5 * MINUTE}[kind]

    def advance(self, now_ms: int) -> None:
        while self._next <= now_ms:
            created_ms = self.log.time_for(self._next)
            for _ in range(1 + self._random.randrange(3)):
                self.log.append(created_ms, self._make(self._next))
            self._next += 1 + int(self._gap * 2 * self._random.random())

    def _position(self, at_ms: int) -> bytes:
        maker = self._maker
        return maker.position(maker.vehicle(), maker.driver(), at_ms, self._random.uniform(1e3, 9e5)).encode()

    def _trip(self, at_ms: int) -> bytes:
        asset, driver = self._maker.vehicle(), self._maker.driver()
        seconds = self._random.randrange(300, 20000)
        start_ms = at_ms - seconds * SECOND
        odometer = self._random.uniform(1e3, 9e5)
        driven = seconds * 0.015
        trip: dict[str, Any] = {
            "TripId": self._ids.take(),
            "AssetId": asset,
            "DriverId": driver,
            "TripStart": iso(start_ms),
            "TripEnd": iso(at_ms),
            "StartOdometerKilometers": round(odometer, 3),
            "EndOdometerKilometers": round(odometer + driven, 3),
            "DistanceKilometers": round(driven, 3),
            "DrivingTime": seconds - seconds // 10,
            "StandingTime": seconds // 10,
            "FuelUsedLitres": round(driven * 0.4, 3),
            "SubTrips": [
                {"SubTripStart": iso(start_ms), "SubTripEnd": iso(at_ms), "DistanceKilometers": round(driven, 3)}
            ],
        }
        return orjson.dumps(trip)

    def _active_event(self, at_ms: int) -> bytes:
        asset, driver = self._maker.vehicle(), self._maker.driver()
        happened_ms = at_ms - self._random.randrange(MINUTE)
        odometer = round(self._random.uniform(1e3, 9e5), 3)
        event: dict[str, Any] = {
            "EventId": self._ids.take(),
            "AssetId": asset,
            "DriverId": driver,
            "EventTypeId": self._maker.type_id(),
            "EventDateTime": iso(happened_ms),
            "ReceivedDateTime": iso(at_ms, fraction=True),
            "Priority": self._random.randrange(1, 5),
            "Armed": self._random.random() < 0.1,
            "OdometerKilometres": odometer,
            "Position": orjson.loads(self._maker.position(asset, driver, happened_ms, odometer)),
            "Value": round(self._random.random() * 120, 2),
            "ValueType": "Maximum",
            "ValueUnits": "km/h",
            "SpeedLimit": None,
        }
        return orjson.dumps(event)


def without_subtrips(record: bytes) -> bytes:
    """A trip as it comes without `includeSubTrips=True`."""
    trip = orjson.loads(record)
    del trip["SubTrips"]
    return orjson.dumps(trip)


def oldest(start_ms: int, history_ms: int) -> int:
    """Where such a feed begins."""
    return start_ms - min(history_ms, 7 * DAY)
