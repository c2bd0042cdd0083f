"""Makes events and positions as JSON bytes, straight from templates: some 20 microseconds each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Final

import orjson

from mixhaul_simulator import vocabulary
from mixhaul_simulator.feedlog import Facts
from mixhaul_simulator.ids import Ids
from mixhaul_simulator.support import EventType, Support
from mixhaul_simulator.times import DAY, HOUR, SECOND, iso

_EVENT: Final = (
    '{"EventId":%d,"AssetId":%d,"DriverId":%d,"EventTypeId":%d,"EventCategory":"%s","StartDateTime":%s,'
    '"EndDateTime":%s,"StartOdometerKilometres":%s,"EndOdometerKilometres":%s,"StartPosition":%s,"EndPosition":%s,'
    '"Value":%s,"ValueType":"%s","ValueUnits":%s,"FuelUsedLitres":%s,"TotalTimeSeconds":%d,"TotalOccurances":%d,'
    '"MediaUrls":%s,"LocationId":%s,"SpeedLimit":%s}'
)
_POSITION: Final = (
    '{"PositionId":%d,"AssetId":%d,"DriverId":%d,"Timestamp":"%s","Latitude":%.6f,"Longitude":%.6f,'
    '"SpeedKilometresPerHour":%s,"SpeedLimit":%s,"AltitudeMetres":%s,"Heading":%d,"NumberOfSatellites":%d,'
    '"Hdop":%d,"Vdop":%s,"Pdop":%s,"AgeOfReadingSeconds":%d,"DistanceSinceReadingKilometres":%s,'
    '"OdometerKilometres":%.3f,"FormattedAddress":%s,"Source":"%s","IsAvl":%s}'
)
_SPARSE: Final = (
    '{"PositionId":%d,"AssetId":%d,"DriverId":%d,"Timestamp":"%s","Latitude":%.6f,"Longitude":%.6f,'
    '"SpeedKilometresPerHour":null,"AltitudeMetres":null,"FormattedAddress":null,"Source":"%s","IsAvl":null}'
)
_SOURCES: Final = ("Gps", "Gps", "Gps", "GPS", "Satellite", "Beacon", "Calculated", "Hos")


def json_text(text: str) -> str:
    """A JSON string with its quotes."""
    return orjson.dumps(text).decode()


_ADDRESSES: Final = tuple(
    (json_text(f"{street}, {city} - {state}"), latitude, longitude)
    for city, state, latitude, longitude in vocabulary.PLACES
    for street in vocabulary.STREETS
)


def _quoted(ms: int, dice: float) -> str:
    """A time in one of the forms of MiX: mostly bare, at times with a fraction, a Z, or both."""
    if dice < 0.7:
        return f'"{iso(ms)}"'
    return f'"{iso(ms, fraction=dice > 0.8, suffix="Z" if dice > 0.9 else "")}"'


class EventMaker:
    """The events of one organisation, in the order of its random numbers."""

    def __init__(self, *, random: Random, ids: Ids, support: Support, ghosts: Sequence[int]) -> None:
        self._random = random
        self._ids = ids
        self._types = support.types
        self._weights = list(accumulate(kind.sketch.weight for kind in support.types))
        self._assets = [row.id for row in support.vehicles]
        self._drivers = [row.id for row in support.drivers]
        self._sites = [site.id for site in support.sites()]
        self._ghosts = ghosts

    def upload(self, created_ms: int, count: int) -> list[tuple[bytes, Facts]]:
        """What one vehicle sends at once. One upload in thirty comes days late, a rare one weeks late."""
        random = self._random.random
        asset = self._assets[int(random() * len(self._assets))]
        dice = random()
        if dice < 0.97:
            delay = int(random() * 120 * SECOND)
        elif dice < 0.998:
            delay = int(6 * HOUR + random() * 6 * DAY)
        else:
            delay = int(20 * DAY + random() * 30 * DAY)
        return [self.event(asset, created_ms - delay - index * 20 * SECOND) for index in range(count)]

    def event(self, asset: int, started_ms: int) -> tuple[bytes, Facts]:
        """One event of a vehicle that began at about `started_ms`."""
        random = self._random.random
        kind = self._type(random())
        sketch = kind.sketch
        driver = self._driver(random())
        event_id = self._ids.take()
        started_ms -= int(random() * 10 * SECOND)
        dice = random()
        has_start = dice > 0.006
        has_end = sketch.category != "Notify" or dice > 0.8
        seconds = int(random() * 600) if has_end else 0
        ended_ms = started_ms
        started_ms -= seconds * SECOND
        odometer = 1000 + random() * 800000
        limit = "null" if dice < 0.5 else str((40, 60.0, 70, 80.5, 90, 110)[int(random() * 6)])
        if sketch.low is None or sketch.high is None:
            value = "null" if dice < 0.9 else "0"
        else:
            raw = sketch.low + random() * (sketch.high - sketch.low)
            value = repr(raw) if dice < 0.3 else f"{raw:.1f}"
        text = _EVENT % (
            event_id,
            asset,
            driver,
            kind.row.id,
            sketch.category,
            _quoted(started_ms, dice) if has_start else "null",
            _quoted(ended_ms, random()) if has_end else "null",
            f"{odometer:.3f}" if dice > 0.05 else "null",
            f"{odometer + seconds * 0.02:.3f}" if has_end else "null",
            self.position(asset, driver, started_ms, odometer) if dice > 0.02 else "null",
            self.position(asset, driver, ended_ms, odometer + seconds * 0.02) if has_end and dice > 0.03 else "null",
            value,
            sketch.value_type,
            json_text(sketch.units) if sketch.units is not None else "null",
            f"{random() * 9:.4f}" if has_end and dice > 0.4 else ("0" if dice > 0.2 else "null"),
            seconds,
            1 + int(random() * 3),
            f'{{"Câmera 1":"https://midia.example/{event_id}/1.mp4","Camera2":"https://midia.example/{event_id}/2.mp4"}}'
            if dice > 0.985
            else "null",
            str(self._sites[int(random() * len(self._sites))]) if dice > 0.9 else "null",
            limit,
        )
        return text.encode(), Facts(event_id, asset, driver, kind.row.id, started_ms if has_start else ended_ms)

    def position(self, asset: int, driver: int, at_ms: int, odometer: float) -> str:
        """Where a vehicle was."""
        random = self._random.random
        address, latitude, longitude = _ADDRESSES[int(random() * len(_ADDRESSES))]
        latitude += random() * 0.5
        longitude -= random() * 0.5
        dice = random()
        source = _SOURCES[int(random() * len(_SOURCES))]
        when = iso(at_ms, fraction=dice > 0.7, suffix="Z" if dice > 0.6 else "")
        if dice < 0.05:
            return _SPARSE % (self._ids.take(), asset, driver, when, latitude, longitude, source)
        return _POSITION % (
            self._ids.take(),
            asset,
            driver,
            when,
            latitude,
            longitude,
            f"{random() * 120:.1f}" if dice > 0.1 else "0",
            "80" if dice > 0.5 else "null",
            str(int(random() * 1500) - 30) if dice > 0.08 else "null",
            int(random() * 360),
            4 + int(random() * 12),
            int(random() * 20),
            str(int(random() * 256)) if dice > 0.3 else "null",
            str(int(random() * 20)) if dice > 0.3 else "null",
            int(random() * 60),
            str(int(random() * 3)) if dice > 0.2 else "null",
            odometer,
            address if dice > 0.15 else "null",
            source,
            "true" if dice > 0.5 else "false",
        )

    def someone(self) -> int:
        """A driver, for a reassignment."""
        return self._drivers[int(self._random.random() * len(self._drivers))]

    def vehicle(self) -> int:
        return self._assets[int(self._random.random() * len(self._assets))]

    def driver(self) -> int:
        return self._driver(self._random.random())

    def type_id(self) -> int:
        return self._type(self._random.random()).row.id

    def _driver(self, dice: float) -> int:
        if dice < 0.003:
            return self._ghosts[0]
        return self._drivers[int(dice * len(self._drivers))]

    def _type(self, dice: float) -> EventType:
        return self._types[bisect_right(self._weights, dice * self._weights[-1])]
