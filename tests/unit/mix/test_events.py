"""Events in every form that the contract names: equal values by either way of decoding, and never a value misread."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from mixhaul_mix.events import EventDecoder, RecordRejected, decode_event, event_id, event_ids, split
from mixhaul_mix.records import Event, read_event
from support.mix_events import encoded, event

NOON = datetime(2026, 5, 1, 12, 34, 56, tzinfo=UTC)


def plain(value: Any) -> Any:
    """A struct of either way as plain values that keep their types apart."""
    if isinstance(value, msgspec.Struct):
        fields = {name: item for name, item in msgspec.structs.asdict(value).items() if not name.startswith("learned_")}
        return {name: plain(item) for name, item in fields.items()}
    return (type(value).__name__, value, value.utcoffset() if isinstance(value, datetime) else None)


def with_field(path: str, literal: str) -> bytes:
    """The full event with one field (`A` or `A.B`) replaced by a JSON literal."""
    value = event()
    target, name = (value[path.split(".")[0]], path.split(".")[1]) if "." in path else (value, path)
    target[name] = "\ue000"
    return encoded(value).replace(b'"\xee\x80\x80"', literal.encode("utf-8", "surrogatepass"))


def field(decoded: Event, path: str) -> Any:
    for name in path.split("."):
        decoded = getattr(decoded, name)
    return decoded


def test_every_field_of_the_contract() -> None:
    # A decoder of its own: the shared one may have learned fields from other tests.
    decoded = EventDecoder().decode(encoded(event()))
    place = {
        "position_id": -123456789012345678,
        "asset_id": 1234567890123456789,
        "driver_id": -987654321098765432,
        "timestamp": NOON,
        "latitude": -23.550520123,
        "longitude": -46.633308123,
        "speed_kilometres_per_hour": 72.5,
        "speed_limit": 60.0,
        "altitude_metres": -3,
        "heading": 180,
        "number_of_satellites": 9,
        "hdop": 1,
        "vdop": 2,
        "pdop": 3,
        "age_of_reading_seconds": 0,
        "distance_since_reading_kilometres": 4,
        "odometer_kilometres": Decimal("123456.789"),
        "formatted_address": "Avenida Paulista 1578, Bela Vista, São Paulo - SP, Brasil",
        "source": "Gps",
        "is_avl": True,
    }
    assert {name: value for name, value in msgspec.structs.asdict(decoded).items() if "position" not in name} == {
        "event_id": 5123456789012345678,
        "asset_id": 1234567890123456789,
        "driver_id": -987654321098765432,
        "event_type_id": -8765432109876543210,
        "event_category": "Detail",
        "start_date_time": NOON,
        "end_date_time": NOON + timedelta(minutes=1),
        "start_odometer_kilometres": Decimal("123456.789"),
        "end_odometer_kilometres": Decimal("123457.123"),
        "value": 88.5,
        "value_type": "Maximum",
        "value_units": "km/h",
        "fuel_used_litres": 0.25,
        "total_time_seconds": 60,
        "total_occurances": 1,
        "media_urls": {"Front": "https://media.example.com/a/b/c.mp4"},
        "location_id": None,
        "speed_limit": 60.0,
        "extra": None,
    }
    assert decoded.start_position is not None
    assert msgspec.structs.asdict(decoded.start_position) == place
    assert decoded.end_position is not None
    assert msgspec.structs.asdict(decoded.end_position) == place | {"position_id": -123456789012345677}
    assert plain(decoded) == plain(read_event(encoded(event())))


def test_only_the_id_is_required_and_null_is_as_good_as_absent() -> None:
    nulls = encoded(dict.fromkeys(event()) | {"EventId": 7})
    assert plain(decode_event(b'{"EventId":7}')) == plain(decode_event(nulls)) == plain(Event(event_id=7))
    assert decode_event(b'{"EventId":7,"StartPosition":{}}').start_position is not None


@pytest.mark.parametrize(
    ("path", "literal", "attribute", "expected"),
    [
        ("EventId", '"-9223372036854775808"', "event_id", -(2**63)),
        ("EventId", "9223372036854775807", "event_id", 2**63 - 1),
        ("AssetId", '" 42 "', "asset_id", 42),
        ("DriverId", "null", "driver_id", None),
        ("StartDateTime", '"2026-05-01T12:34:56Z"', "start_date_time", NOON),
        ("StartDateTime", '"2026-05-01T12:34:56z"', "start_date_time", NOON),
        ("StartDateTime", '"2026-05-01 12:34:56"', "start_date_time", NOON),
        ("StartDateTime", '"2026-05-01T12:34:56+00:00"', "start_date_time", NOON),
        ("StartDateTime", '"2026-05-01T09:34:56-03:00"', "start_date_time", NOON),
        ("StartDateTime", '"2026-05-01T18:04:56+0530"', "start_date_time", NOON),
        ("StartDateTime", '"2026-05-01T12:34:56.5"', "start_date_time", NOON.replace(microsecond=500000)),
        ("StartDateTime", '"2026-05-01T12:34:56.123Z"', "start_date_time", NOON.replace(microsecond=123000)),
        ("StartDateTime", '"2026-05-01T12:34:56.1234567"', "start_date_time", NOON.replace(microsecond=123456)),
        ("StartDateTime", '"2026-05-01T12:34:56.9999999Z"', "start_date_time", NOON.replace(microsecond=999999)),
        ("StartDateTime", '"9999-12-31T23:59:59.9999999"', "start_date_time", datetime.max.replace(tzinfo=UTC)),
        ("StartDateTime", '"0001-01-01T00:00:00"', "start_date_time", datetime.min.replace(tzinfo=UTC)),
        ("StartDateTime", '"1970-01-01T00:00:00"', "start_date_time", datetime(1970, 1, 1, tzinfo=UTC)),
        ("StartPosition.Timestamp", '"2026-05-01T12:34:56.0000000"', "start_position.timestamp", NOON),
        ("EndPosition.Timestamp", '"2026-05-01T13:34:56+01:00"', "end_position.timestamp", NOON),
        ("StartOdometerKilometres", "0.10", "start_odometer_kilometres", Decimal("0.10")),
        ("StartOdometerKilometres", '"123456.789"', "start_odometer_kilometres", Decimal("123456.789")),
        (
            "EndOdometerKilometres",
            "12345678901234567890.123456789",
            "end_odometer_kilometres",
            Decimal("12345678901234567890.123456789"),
        ),
        ("StartPosition.OdometerKilometres", "1e2", "start_position.odometer_kilometres", Decimal("1e2")),
        ("Value", "88", "value", 88.0),
        ("Value", '"88.5"', "value", 88.5),
        ("Value", "-0.0", "value", 0.0),
        ("Value", "1E-5", "value", 0.00001),
        ("FuelUsedLitres", "0", "fuel_used_litres", 0.0),
        ("TotalTimeSeconds", "12.0", "total_time_seconds", 12),
        ("TotalTimeSeconds", '"12"', "total_time_seconds", 12),
        ("TotalOccurances", '"12.0"', "total_occurances", 12),
        ("StartPosition.Hdop", "1.0", "start_position.hdop", 1),
        ("StartPosition.AltitudeMetres", '"-12"', "start_position.altitude_metres", -12),
        ("StartPosition.Heading", "3.6e2", "start_position.heading", 360),
        ("StartPosition.IsAvl", '"True"', "start_position.is_avl", True),
        ("StartPosition.IsAvl", '"false"', "start_position.is_avl", False),
        ("EventCategory", '"SUMMARY"', "event_category", "Summary"),
        ("EventCategory", '" notify "', "event_category", "Notify"),
        ("EventCategory", '"Brand new"', "event_category", "Brand new"),
        ("EventCategory", "3", "event_category", "3"),
        ("ValueType", '"average"', "value_type", "Average"),
        ("StartPosition.Source", "0", "start_position.source", "Gps"),
        ("StartPosition.Source", '"4"', "start_position.source", "Hos"),
        ("StartPosition.Source", '"GPS"', "start_position.source", "Gps"),
        ("StartPosition.Source", "99", "start_position.source", "99"),
        ("StartPosition.Source", '"Galileo"', "start_position.source", "Galileo"),
        ("ValueUnits", '"m/s\\u00b2 \\ud83d\\ude97"', "value_units", "m/s² 🚗"),
        ("ValueUnits", '"a \\\\u0000 in words"', "value_units", "a \\u0000 in words"),
        ("ValueUnits", '""', "value_units", ""),
        ("MediaUrls", "{}", "media_urls", {}),
        ("MediaUrls", '{"a":null,"b":["x"]}', "media_urls", {"a": None, "b": ["x"]}),
        ("StartPosition", "null", "start_position", None),
    ],
)
def test_lenient_forms(path: str, literal: str, attribute: str, expected: Any) -> None:
    raw = with_field(path, literal)
    decoded = decode_event(raw)
    assert plain(field(decoded, attribute)) == plain(expected)
    assert plain(decoded) == plain(read_event(raw)), "both ways must agree"


@pytest.mark.parametrize(
    ("path", "literal", "reason"),
    [
        ("EventId", "null", "EventId is missing"),
        ("EventId", "9223372036854775808", "EventId is out of range"),
        ("EventId", '"-9223372036854775809"', "EventId is out of range"),
        ("EventId", "1.0", "EventId is no whole number"),
        ("EventId", "1e3", "EventId is no whole number"),
        ("EventId", "true", "EventId is no whole number"),
        ("EventId", '"12x"', "EventId is no whole number"),
        ("EventId", '"１２"', "EventId is no whole number"),
        ("EventId", '""', "EventId is no whole number"),
        ("AssetId", "99999999999999999999", "AssetId is out of range"),
        ("AssetId", "5123456789012345678.0", "AssetId is no whole number"),
        ("DriverId", "{}", "DriverId is no whole number"),
        ("StartDateTime", "0", "StartDateTime is no date and time"),
        ("StartDateTime", '"0"', "StartDateTime is no date and time"),
        ("StartDateTime", '"1714567890"', "StartDateTime is no date and time"),
        ("StartDateTime", '"20260501T123456"', "StartDateTime is no date and time"),
        ("StartDateTime", '"2026-05-01512:34:56"', "StartDateTime is no date and time"),
        ("StartDateTime", '"2026-13-01T00:00:00"', "StartDateTime is no date and time"),
        ("StartDateTime", '"2026-02-30T00:00:00"', "StartDateTime is no date and time"),
        ("StartDateTime", '"2026-05-01"', "StartDateTime is no date and time"),
        ("StartDateTime", '"01/05/2026 12:34:56"', "StartDateTime is no date and time"),
        ("StartDateTime", '"/Date(1714567890000)/"', "StartDateTime is no date and time"),
        ("StartDateTime", '"0001-01-01T00:00:00+03:00"', "StartDateTime is no date and time"),
        ("StartDateTime", '""', "StartDateTime is no date and time"),
        ("EndPosition.Timestamp", "true", "EndPosition.Timestamp is no date and time"),
        ("StartOdometerKilometres", '"NaN"', "StartOdometerKilometres is out of range"),
        ("StartOdometerKilometres", '"sNaN"', "StartOdometerKilometres is out of range"),
        ("StartOdometerKilometres", '"Infinity"', "StartOdometerKilometres is out of range"),
        ("StartOdometerKilometres", "1e999999", "StartOdometerKilometres is out of range"),
        ("StartOdometerKilometres", "1e-999999", "StartOdometerKilometres is out of range"),
        ("StartOdometerKilometres", '"1.000,5"', "StartOdometerKilometres is no number"),
        ("StartOdometerKilometres", '"1,5"', "StartOdometerKilometres is no number"),
        ("StartOdometerKilometres", "true", "StartOdometerKilometres is no number"),
        ("StartPosition.OdometerKilometres", "1e61", "StartPosition.OdometerKilometres is out of range"),
        ("Value", "1e999", "Value is out of range"),
        ("Value", "-1e999", "Value is out of range"),
        ("Value", '"1e999"', "Value is out of range"),
        ("Value", "NaN", "it holds NaN"),
        ("Value", "-Infinity", "it holds Infinity"),
        ("Value", '"NaN"', "Value is no number"),
        ("Value", "false", "Value is no number"),
        ("Value", '"0x1f"', "Value is no number"),
        ("TotalTimeSeconds", "12.5", "TotalTimeSeconds is no whole number"),
        ("TotalTimeSeconds", "1e40", "TotalTimeSeconds is out of range"),
        ("StartPosition.Hdop", "1.2", "StartPosition.Hdop is no whole number"),
        ("StartPosition.AltitudeMetres", "2147483648", "StartPosition.AltitudeMetres is out of range"),
        ("StartPosition.IsAvl", '"0"', "StartPosition.IsAvl is neither true nor false"),
        ("StartPosition.IsAvl", "1", "StartPosition.IsAvl is neither true nor false"),
        ("StartPosition", "[]", "StartPosition is no object"),
        ("StartPosition", '"x"', "StartPosition is no object"),
        ("EventCategory", "true", "EventCategory is neither a name nor a number"),
        ("EventCategory", "1.5", "EventCategory is neither a name nor a number"),
        ("ValueUnits", "5", "ValueUnits is no text"),
        ("ValueUnits", '"a\\u0000b"', "ValueUnits holds a NUL"),
        ("ValueUnits", '"\\\\\\u0000"', "ValueUnits holds a NUL"),
        ("ValueUnits", '"\\ud800"', "ValueUnits holds a lone surrogate"),
        ("ValueUnits", '"\\udc00x"', "ValueUnits holds a lone surrogate"),
        ("EventCategory", '"\\u0000"', "EventCategory holds a NUL"),
        ("StartPosition.FormattedAddress", '"\\ud800"', "StartPosition.FormattedAddress holds a lone surrogate"),
        ("MediaUrls", "[]", "MediaUrls is no object"),
        ("MediaUrls", '{"a":"\\u0000"}', "MediaUrls holds a NUL"),
        ("MediaUrls", '{"\\ud800":1}', "MediaUrls holds a lone surrogate"),
        ("Unknown", '"\\u0000"', "an unknown field holds a NUL"),
        ("Unknown", "1e999", "an unknown field is out of range"),
        ("Unknown", "9" * 5000, "a number of too many digits"),
        ("Unknown", '"\ud800"', "not UTF-8"),
    ],
)
def test_what_would_have_to_be_guessed_is_rejected(path: str, literal: str, reason: str) -> None:
    raw = with_field(path, literal)
    for decode in (decode_event, read_event, EventDecoder().decode):
        with pytest.raises(RecordRejected, match=reason) as caught:
            decode(raw)
        assert literal.strip('"') not in str(caught.value) or len(literal.strip('"')) < 6
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("raw", [b"null", b"1", b'"x"', b"[]", b"", b"nul", b'{"EventId":1', b"\xff"])
def test_what_is_no_object_is_rejected(raw: bytes) -> None:
    for read in (decode_event, event_id, lambda record: event_id(Raw(record))):
        with pytest.raises(RecordRejected):
            read(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"EventId":-5}', -5),
        (b'{ "A" : {"EventId":1}, "EventId" : 2 }', 2),
        (b'{"EventId":1,"EventId":2}', 2),
        (b'{"EventId":"9223372036854775807"}', 2**63 - 1),
        (b'{"EventId":3,"A":NaN}', 3),
        (b'{"A":"\\"EventId\\":9,","EventId":4}', 4),
        (b'{"EventId":1,"A":{"EventId":9}}', 1),
        (b'{"EventId":1,"\\u0045ventId":2}', 2),
        (b'{"EventId":-9223372036854775808,"A":"EventId"}', -(2**63)),
        (b'{"EventId":0}', 0),
    ],
)
def test_the_id_alone(raw: bytes, expected: int) -> None:
    if b"NaN" in raw:
        with pytest.raises(RecordRejected, match="NaN"):
            event_id(raw)
    else:
        assert event_id(raw) == event_id(Raw(raw)) == expected == decode_event(raw).event_id


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"EventId":null}',
        b'{"EventId":9223372036854775808}',
        b'{"EventId":-9223372036854775809,"A":1}',
        b'{"EventId":1.0}',
        b'{"EventId":true}',
        b'{"eventid":1}',
        b'{"EventId":1,"EventId":null}',
    ],
)
def test_an_id_that_is_none_is_rejected(raw: bytes) -> None:
    for read in (event_id, decode_event):
        with pytest.raises(RecordRejected, match="EventId"):
            read(raw)


def test_the_ids_of_a_page_in_one_go_are_those_of_its_records() -> None:
    raws = split(encoded([event(number) for number in range(5)]))
    assert event_ids(raws) == [event_id(raw) for raw in raws]
    assert event_ids([]) == []


def test_the_ids_of_a_page_in_one_go_are_exact() -> None:
    ids = [2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
    assert event_ids(split(b"[" + b",".join(b'{"EventId":%d}' % number for number in ids) + b"]")) == ids


@pytest.mark.parametrize(
    "odd", ['{"EventId":"7"}', '{"EventId":9223372036854775808}', "{}", "null", "[]", '{"EventId":3,"A":NaN}', '"],["']
)
def test_a_record_that_must_be_looked_at_alone_is_left_to_that(odd: str) -> None:
    raws = split(f'[{{"EventId":1}},{odd},{{"EventId":2}}]'.encode())
    assert len(raws) == 3
    assert event_ids(raws) is None


def test_unknown_fields_are_kept_and_learned() -> None:
    decoder = EventDecoder()
    value = event()
    value["NewThing"] = {"big": 2**70, "list": [1, 2.5, "ção", None, True]}
    value["extra"] = "theirs, not ours"
    value["StartPosition"]["Another"] = -(2**63)
    value["odd name"] = 1
    expected = {
        "NewThing": {"big": 2**70, "list": [1, 2.5, "ção", None, True]},
        "extra": "theirs, not ours",
        "odd name": 1,
        "StartPosition": {"Another": -(2**63)},
    }
    first = decoder.decode(encoded(value))
    assert first.extra == expected
    del value["odd name"], expected["odd name"]
    again = decoder.decode(encoded(value))
    assert again.extra == expected
    assert type(again) is not type(first), "the second took the typed way"
    assert decoder.decode(encoded(event())).extra is None
    assert json.loads(msgspec.json.encode(again.extra)) == expected


def test_a_learned_field_is_as_strict_as_an_unknown_one() -> None:
    decoder = EventDecoder()
    decoder.decode(b'{"EventId":1,"New":1}')
    for literal in (b'"\\u0000"', b"1e999", b'"\\ud800"', b'{"a":"\\u0000"}'):
        with pytest.raises(RecordRejected):
            decoder.decode(b'{"EventId":1,"New":' + literal + b"}")
    assert decoder.decode(b'{"EventId":1,"New":null}').extra == {"New": None}


def test_learning_is_bounded() -> None:
    decoder = EventDecoder()
    for number in range(100):
        decoder.decode(b'{"EventId":1,"New%d":1}' % number)
    assert len(decoder._event_names) == 64
    assert decoder.decode(b'{"EventId":1,"New99":1}').extra == {"New99": 1}


ids = st.integers(-(2**63), 2**63 - 1)
times = st.datetimes(timezones=st.just(UTC))
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
numbers = st.floats(allow_nan=False, allow_infinity=False)
decimals = st.decimals(min_value=-(10**9), max_value=10**9, places=3)


def _number(value: int | float | Decimal, *, as_text: bool) -> str:
    literal = str(value) if isinstance(value, int | Decimal) else repr(value)
    return f'"{literal}"' if as_text else literal


def _time(value: datetime, form: str) -> str:
    naive = value.replace(tzinfo=None).isoformat(timespec="microseconds")
    return {"naive": naive, "Z": naive + "Z", "offset": naive + "+00:00", "blank": naive.replace("T", " ")}[form]


@given(
    event_id=ids,
    driver=st.none() | ids,
    when=times,
    odometer=decimals,
    value=numbers,
    units=texts,
    seconds=st.integers(-(2**31), 2**31 - 1),
    avl=st.booleans(),
    as_text=st.booleans(),
    form=st.sampled_from(["naive", "Z", "offset", "blank"]),
    ascii_only=st.booleans(),
)
def test_whatever_is_written_is_read_back(
    event_id: int,
    driver: int | None,
    when: datetime,
    odometer: Decimal,
    value: float,
    units: str,
    seconds: int,
    avl: bool,
    as_text: bool,
    form: str,
    ascii_only: bool,
) -> None:
    flag = json.dumps(str(avl) if as_text else avl)
    heading = _number(seconds, as_text=as_text)
    position = f'{{"Timestamp":"{_time(when, form)}","Heading":{heading},"IsAvl":{flag}}}'
    raw = (
        f'{{"EventId":{_number(event_id, as_text=as_text)},"DriverId":{"null" if driver is None else driver},'
        f'"StartDateTime":"{_time(when, form)}","StartOdometerKilometres":{_number(odometer, as_text=as_text)},'
        f'"Value":{_number(value, as_text=as_text)},"ValueUnits":{json.dumps(units, ensure_ascii=ascii_only)},'
        f'"TotalTimeSeconds":{seconds}.0,"StartPosition":{position}}}'
    ).encode()
    for decoded in (decode_event(raw), read_event(raw)):
        assert decoded.event_id == event_id
        assert decoded.driver_id == driver
        assert decoded.start_date_time == when
        assert decoded.start_date_time is not None
        assert decoded.start_date_time.utcoffset() == timedelta()
        assert str(decoded.start_odometer_kilometres) == str(odometer)
        assert decoded.value == value
        assert decoded.value_units == units
        assert decoded.total_time_seconds == seconds
        assert decoded.start_position is not None
        assert (decoded.start_position.timestamp, decoded.start_position.heading) == (when, seconds)
        assert decoded.start_position.is_avl is avl


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["0", "1", "true", "NaN", "2026-05-01T00:00:00", "2026-05-01T00:00:00Z", "1e5", "12.0", "Gps", "\0", "\ud800"]
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from([*event(), "Unknown"])
inner_names = st.sampled_from([*event()["StartPosition"], "Unknown"])


@given(
    st.dictionaries(names, json_values, max_size=5),
    st.dictionaries(inner_names, json_values, max_size=4),
)
def test_the_typed_way_never_reads_anything_otherwise(fields: dict[str, Any], inner: dict[str, Any]) -> None:
    raw = json.dumps({"EventId": 1, "StartPosition": inner, **fields}).encode()
    try:
        expected: Any = plain(read_event(raw))
    except RecordRejected:
        expected = "rejected"
    learner = EventDecoder()
    for _ in range(2):
        try:
            got: Any = plain(learner.decode(raw))
        except RecordRejected:
            got = "rejected"
        assert got == expected
