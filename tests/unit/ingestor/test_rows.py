"""The mapping from wire to row: each column gets the field of its name, and nothing is left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mixhaul_ingestor.rows import decode_records, event_row, prepare
from mixhaul_mix.events import Event, Position, decode_event, split
from mixhaul_store.records import EVENT_VALUE_COLUMNS

# Column -> path of the field in MiX's JSON, written down here by hand, apart from the code.
PLACES: dict[str, tuple[str, ...]] = {
    "reported_driver_external_id": ("DriverId",),
    "vehicle_external_id": ("AssetId",),
    "event_type_external_id": ("EventTypeId",),
    "event_category": ("EventCategory",),
    "started_at": ("StartDateTime",),
    "ended_at": ("EndDateTime",),
    "start_odometer_km": ("StartOdometerKilometres",),
    "end_odometer_km": ("EndOdometerKilometres",),
    "value": ("Value",),
    "value_type": ("ValueType",),
    "value_units": ("ValueUnits",),
    "fuel_used_litres": ("FuelUsedLitres",),
    "total_time_seconds": ("TotalTimeSeconds",),
    "total_occurrences": ("TotalOccurances",),
    "media_urls": ("MediaUrls",),
    "location_external_id": ("LocationId",),
    "speed_limit": ("SpeedLimit",),
}
POSITION = {
    "position_id": "PositionId",
    "position_vehicle_external_id": "AssetId",
    "position_driver_external_id": "DriverId",
    "position_at": "Timestamp",
    "latitude": "Latitude",
    "longitude": "Longitude",
    "speed_kmh": "SpeedKilometresPerHour",
    "position_speed_limit": "SpeedLimit",
    "altitude_metres": "AltitudeMetres",
    "heading": "Heading",
    "satellites": "NumberOfSatellites",
    "hdop": "Hdop",
    "vdop": "Vdop",
    "pdop": "Pdop",
    "age_of_reading_seconds": "AgeOfReadingSeconds",
    "distance_since_reading_km": "DistanceSinceReadingKilometres",
    "position_odometer_km": "OdometerKilometres",
    "address": "FormattedAddress",
    "position_source": "Source",
    "is_avl": "IsAvl",
}
for _side in ("Start", "End"):
    for _column, _field in POSITION.items():
        PLACES[f"{_side.lower()}_{_column}"] = (f"{_side}Position", _field)


def _value(path: tuple[str, ...], number: int) -> object:
    """A value of the right kind that no other field has."""
    field = path[-1]
    if field in ("StartDateTime", "EndDateTime", "Timestamp"):
        return f"2026-01-01T00:{number:02d}:00"
    if field == "MediaUrls":
        return {"a": f"https://{number}"}
    if field == "IsAvl":
        return path[0] == "StartPosition"
    if field in ("EventCategory", "ValueType", "ValueUnits", "FormattedAddress", "Source"):
        return f"text {number}"
    return number


def _read(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return value


def test_every_column_gets_its_own_field() -> None:
    event: dict[str, object] = {"EventId": 7}
    expected: dict[str, object] = {}
    for number, (column, path) in enumerate(sorted(PLACES.items()), start=1):
        value = expected[column] = _value(path, number)
        if len(path) == 1:
            event[path[0]] = value
        else:
            position = event.setdefault(path[0], {})
            assert isinstance(position, dict)
            position[path[1]] = value
    event["New"] = {"field": 2**70}
    row = event_row(decode_event(json.dumps(event).encode()))
    stored = {name: _read(value) for name, value in zip(EVENT_VALUE_COLUMNS, row.values, strict=True)}
    assert stored == expected | {"extra": {"New": {"field": 2**70}}}
    assert row.external_id == 7


def test_nothing_at_all_is_null_and_not_zero() -> None:
    row = event_row(Event(event_id=1))
    assert set(row.values) == {None}
    assert row.occurred_at is None


def test_the_time_that_decides_the_place() -> None:
    one, two, three, four = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4))
    start, end = Position(timestamp=three), Position(timestamp=four)
    assert event_row(Event(event_id=1, start_date_time=one, end_date_time=two)).occurred_at == one
    assert event_row(Event(event_id=1, end_date_time=two, start_position=start)).occurred_at == two
    assert event_row(Event(event_id=1, start_position=start, end_position=end)).occurred_at == three
    assert event_row(Event(event_id=1, end_position=end)).occurred_at == four


def test_a_record_that_can_not_be_read_is_kept_apart() -> None:
    body = b'[{"EventId": 1}, {"EventId": "x"}, 5, {"EventId": 2, "StartDateTime": "gestern"}]'
    records, rejected = prepare(split(body))
    assert [record.external_id for record in records] == [1, 2]
    assert [reject.raw for reject in rejected] == [b'{"EventId": "x"}', b"5"]
    rows, unreadable = decode_records(records)
    assert [row.external_id for row in rows] == [1]
    assert [(reject.external_id, reject.raw) for reject in unreadable] == [
        (2, b'{"EventId": 2, "StartDateTime": "gestern"}')
    ]


@pytest.mark.parametrize("name", ["X", "MediaUrls"])
def test_a_record_that_is_nested_too_deeply_is_rejected_alone_at_any_depth(name: str) -> None:
    for depth in (150, *range(300, 1000, 11), 5000):
        deep = f'{{"EventId": 1, "{name}": {{"a": {"[" * depth}{"]" * depth}}}}}'
        records, rejected = prepare(split(f'[{deep}, {{"EventId": 2}}]'.encode()))
        rows, unreadable = decode_records(records)
        assert [row.external_id for row in rows][-1:] == [2]
        assert len(rows) + len(rejected) + len(unreadable) == 2
    assert len(rows) == 1
