"""The same records written in another way: what a lenient reader must take for equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import orjson

_DATES: Final = frozenset(
    {
        "StartDateTime",
        "EndDateTime",
        "Timestamp",
        "CreatedDate",
        "AmendmentDate",
        "EventDateTime",
        "ReceivedDateTime",
        "TripStart",
        "TripEnd",
    }
)
_NUMBERS: Final[dict[str, dict[str, int]]] = {
    "Source": {"gps": 0, "satellite": 1, "beacon": 2, "calculated": 3, "hos": 4},
    "ExtendedDriverIdType": {"none": -3, "hex": -2, "ascii": -1},
    "AmendmentType": {"quarantinedevent": 0, "reassignedevent": 1},
    "Type": {"organisationgroup": 1, "sitegroup": 4, "organisationsubgroup": 5, "defaultsite": 6},
}
_NAMES: Final = frozenset({*_NUMBERS, "EventCategory", "ValueType"})
_BRASILIA: Final = timezone(timedelta(hours=-3))
_FORMS: Final = 4


def unknown_fields(value: Any) -> Any:
    """Fields that nobody announced, at every level."""
    if isinstance(value, dict):
        grown = {name: item if name == "MediaUrls" else unknown_fields(item) for name, item in value.items()}
        return grown | {"FutureField": {"Nível": 3, "Tags": ["a", None]}, "futureFlag": True}
    if isinstance(value, list):
        return [unknown_fields(item) for item in value]
    return value


def numbers_as_text(value: Any) -> Any:
    """Every number between quotes."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return orjson.dumps(value).decode()
    if isinstance(value, dict):
        return {name: numbers_as_text(item) for name, item in value.items()}
    if isinstance(value, list):
        return [numbers_as_text(item) for item in value]
    return value


def dates_odd(value: Any) -> Any:
    """Every date in another form of the same moment: Z, an offset, seven digits of fraction, Brasília's time."""
    if isinstance(value, dict):
        return {
            name: odd_date(item) if name in _DATES and isinstance(item, str) else dates_odd(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [dates_odd(item) for item in value]
    return value


def odd_date(text: str) -> str:
    """Which form is decided by the text itself, so that the same record is always written the same."""
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    form = sum(int(digit) for digit in re.findall(r"\d", text)) % _FORMS
    plain = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{moment.microsecond:06d}0"
    if form == 0:
        return f"{plain}{fraction}Z"
    if form == 1:
        return f"{plain}{fraction}"
    if form == 2:
        return f"{plain}{fraction}+00:00"
    return moment.astimezone(_BRASILIA).strftime("%Y-%m-%dT%H:%M:%S") + f"{fraction}-03:00"


def enum_number(value: Any) -> Any:
    """Names of enumerations by their number, where MiX has published it."""
    if isinstance(value, dict):
        return {
            name: _NUMBERS[name].get(item.lower(), item)
            if name in _NUMBERS and isinstance(item, str)
            else enum_number(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [enum_number(item) for item in value]
    return value


def enum_case(value: Any) -> Any:
    """Names of enumerations in capitals, which mean the same."""
    if isinstance(value, dict):
        return {
            name: item.upper() if name in _NAMES and isinstance(item, str) else enum_case(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [enum_case(item) for item in value]
    return value


BY_KIND: Final[dict[str, Callable[[Any], Any]]] = {
    "enum-number": enum_number,
    "enum-case": enum_case,
    "dates-odd": dates_odd,
    "unknown-fields": unknown_fields,
    "numbers-as-text": numbers_as_text,
}


def rewritten(value: Any, kinds: Iterable[str]) -> Any:
    """All of these at once, in the order in which they do not hide each other."""
    wanted = set(kinds)
    for kind, change in BY_KIND.items():
        if kind in wanted:
            value = change(value)
    return value
