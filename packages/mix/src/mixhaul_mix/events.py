"""The hot path: an answer's records, their ids, and each record as a typed event.

A clean record takes one typed decode; whatever that refuses goes through the lenient reader field by field. Both give
equal values: a record never reads differently because it took the other way. Fields that the contract does not know
are learned when they are first met, so that a new one doesn't send every record the slow way.
Nothing here checks that ids refer to anything, or that times and places make sense.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from mixhaul_mix import lenient
from mixhaul_mix.errors import RecordRejected
from mixhaul_mix.pages import split
from mixhaul_mix.records import (
    CATEGORIES,
    SOURCES,
    VALUE_TYPES,
    Amendment,
    Event,
    Position,
    decode_amendment,
    read_event,
    read_id,
)
from mixhaul_mix.since import day_stamp, first_token, stamp, time_token, token_time

__all__ = [
    "Amendment",
    "Event",
    "Position",
    "RecordRejected",
    "day_stamp",
    "decode_amendment",
    "decode_event",
    "event_id",
    "event_ids",
    "first_token",
    "split",
    "stamp",
    "time_token",
    "token_time",
]

MAX_LEARNED: Final = 64
# A longer one may hold a number of more digits than PostgreSQL takes: the lenient reader looks at each.
MAX_FAST_BYTES: Final = 15_000
MAX_EXPONENT: Final = lenient.MAX_EXPONENT

_NAME: Final = re.compile(r"\w{1,100}")

_POSITION_AS_IT_COMES: Final = {"timestamp": str | None, "source": str | int | None}
_EVENT_AS_IT_COMES: Final = {
    "start_date_time": str | None,
    "end_date_time": str | None,
    "event_category": str | int | None,
    "value_type": str | int | None,
}


class _OnlyId(Struct, gc=False):
    event_id: int = msgspec.field(name="EventId")


_only_id: Final = msgspec.json.Decoder(_OnlyId)
_only_ids: Final = msgspec.json.Decoder(list[_OnlyId])
_any: Final = msgspec.json.Decoder()
_fromisoformat: Final = datetime.fromisoformat
_read_category: Final = lenient.to_choice(CATEGORIES)
_read_value_type: Final = lenient.to_choice(VALUE_TYPES)
_read_source: Final = lenient.to_choice(SOURCES)


def event_id(raw: bytes | Raw) -> int:
    """The record's own id, without reading the rest of it. Raises RecordRejected."""
    try:
        found = _only_id.decode(raw).event_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return read_id(bytes(raw))
    if not lenient.INT64[0] <= found <= lenient.INT64[1]:
        raise RecordRejected("EventId is out of range")
    return found


def event_ids(raws: Sequence[Raw]) -> list[int] | None:
    """The ids of a page's records in one go; None where one of them has to be looked at alone, by `event_id`."""
    try:
        found = [one.event_id for one in _only_ids.decode(b"[" + b",".join(raws) + b"]")]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if len(found) != len(raws) or (found and not lenient.INT64[0] <= min(found) <= max(found) <= lenient.INT64[1]):
        return None
    return found


class EventDecoder:
    """Decodes events, and remembers the names of unknown fields. One for a process does; not for several threads."""

    def __init__(self) -> None:
        self._event_names: dict[str, str] = {}
        self._position_names: dict[str, str] = {}
        self._build()

    def decode(self, raw: bytes) -> Event:
        """The event. Raises RecordRejected with a reason that names the field, never its value."""
        if len(raw) <= MAX_FAST_BYTES and (b"\\" not in raw or b"\\u0000" not in raw):
            try:
                return self._settle(self._decoder.decode(raw))
            except (msgspec.MsgspecError, ValueError, RecursionError):
                pass
        event = read_event(raw)
        if event.extra is not None:
            self._learn(event.extra)
        return event

    def _settle(self, event: Any) -> Event:
        """Put the final values in place of those that the typed decode only took as text. Raises ValueError."""
        # Written out rather than looped over: this runs for every event. Where index 10 is no T, `fromisoformat` of
        # Python 3.11 would take any character.
        text = event.start_date_time
        if text is not None:
            plain = len(text) == 19 and text[10] == "T"
            event.start_date_time = _fromisoformat(text + "Z") if plain else _other_time(text)
        text = event.end_date_time
        if text is not None:
            plain = len(text) == 19 and text[10] == "T"
            event.end_date_time = _fromisoformat(text + "Z") if plain else _other_time(text)
        name = event.event_category
        if name is not None and name not in CATEGORIES:
            event.event_category = _read_category(name)
        name = event.value_type
        if name is not None and name not in VALUE_TYPES:
            event.value_type = _read_value_type(name)
        number = event.start_odometer_kilometres
        if number is not None and not (number.is_finite() and -MAX_EXPONENT < number.adjusted() < MAX_EXPONENT):
            raise ValueError
        number = event.end_odometer_kilometres
        if number is not None and not (number.is_finite() and -MAX_EXPONENT < number.adjusted() < MAX_EXPONENT):
            raise ValueError
        if event.start_position is not None:
            _settle_position(event.start_position)
        if event.end_position is not None:
            _settle_position(event.end_position)
        if self._event_names or self._position_names:
            self._collect(event)
        return cast("Event", event)

    def _collect(self, event: Any) -> None:
        extra = _take(event, self._event_names)
        if self._position_names:
            for name, position in (("StartPosition", event.start_position), ("EndPosition", event.end_position)):
                unknown = {} if position is None else _take(position, self._position_names)
                if unknown:
                    extra[name] = unknown
        event.extra = extra or None

    def _learn(self, extra: dict[str, Any]) -> None:
        known = len(self._event_names) + len(self._position_names)
        for name, value in extra.items():
            if name not in {"StartPosition", "EndPosition"}:
                _add(self._event_names, name)
            elif isinstance(value, dict):
                for inner in value:
                    _add(self._position_names, inner)
        if len(self._event_names) + len(self._position_names) > known:
            self._build()

    def _build(self) -> None:
        position = _wire(Position, _POSITION_AS_IT_COMES, self._position_names)
        kind = _wire(
            Event,
            _EVENT_AS_IT_COMES | {"start_position": position | None, "end_position": position | None},
            self._event_names,
        )
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)


def _wire(base: type[Struct], changed: dict[str, Any], learned: dict[str, str]) -> type[Struct]:
    """`base` as it comes: dates and choices not read yet, unknown fields refused but for those that are learned."""
    names = {spec.name: spec.encode_name for spec in msgspec.structs.fields(base)}
    fields: list[Any] = [(name, kind, msgspec.field(default=None, name=names[name])) for name, kind in changed.items()]
    fields += [
        (attribute, Raw | UnsetType, msgspec.field(default=UNSET, name=name)) for name, attribute in learned.items()
    ]
    return msgspec.defstruct(
        base.__name__, fields, bases=(base,), forbid_unknown_fields=True, gc=False, kw_only=True, module=__name__
    )


def _add(names: dict[str, str], name: str) -> None:
    if len(names) < MAX_LEARNED and _NAME.fullmatch(name):
        names.setdefault(name, f"learned_{len(names)}")


def _take(record: Any, names: dict[str, str]) -> dict[str, Any]:
    taken: dict[str, Any] = {}
    for name, attribute in names.items():
        raw = getattr(record, attribute)
        if raw is not UNSET:
            taken[name] = _any.decode(raw)
            setattr(record, attribute, UNSET)
    return taken


def _other_time(text: str) -> datetime:
    if 19 < len(text) <= 32 and text[10] == "T":
        if text[19] == "." and text[20:].isdecimal():
            return _fromisoformat(text + "Z")
        if text[-1] == "Z" and text[19] in ".Z":
            return _fromisoformat(text)
    return lenient.to_time(text)


def _settle_position(position: Any) -> None:
    text = position.timestamp
    if text is not None:
        plain = len(text) == 19 and text[10] == "T"
        position.timestamp = _fromisoformat(text + "Z") if plain else _other_time(text)
    name = position.source
    if name is not None:
        # Numbers are keys too, so what is found is what was meant.
        position.source = SOURCES.get(name) or _read_source(name)
    number = position.odometer_kilometres
    if number is not None and not (number.is_finite() and -MAX_EXPONENT < number.adjusted() < MAX_EXPONENT):
        raise ValueError


_decoder: Final = EventDecoder()
decode_event: Final = _decoder.decode
