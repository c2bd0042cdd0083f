"""Reads JSON values in every form that MiX is known to use: numbers and booleans as text, dates with and without an
offset, names and numbers of enumerations. What would have to be guessed is refused, never rounded or repaired.

Each `to_*` takes a value as `parse` gives it and raises Unreadable, whose words name the problem but not the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final, NoReturn

INT32: Final = (-(2**31), 2**31 - 1)
INT64: Final = (-(2**63), 2**63 - 1)
# Far beyond any odometer, far below what PostgreSQL's numeric takes.
MAX_EXPONENT: Final = 60
MAX_SCALE: Final = 16_000
# Far beyond any record, far below what decoders, encoders and PostgreSQL take.
MAX_NESTING: Final = 100

_NUMBER: Final = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,6})?", re.ASCII)
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_WHOLE: Final = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,12}))?\s?([Zz]|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


class Unreadable(ValueError):
    """The value has another form than any that is known."""


class NotJson(ValueError):
    """The record is no JSON value."""


def _no_constant(name: str) -> NoReturn:
    raise NotJson(f"it holds {name.lstrip('-')}, which is no JSON")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python reads 4300 digits
        raise NotJson("it holds a number of too many digits") from None


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_int=_whole, parse_constant=_no_constant, strict=False)


def parse(raw: bytes) -> Any:
    """The JSON value with exact numbers (int and Decimal). Texts may hold NUL and lone surrogates."""
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotJson("it is not UTF-8") from None
    except json.JSONDecodeError:
        raise NotJson("it is no JSON") from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None


def to_text(value: Any) -> str:
    """A text that PostgreSQL can hold."""
    if not isinstance(value, str):
        raise Unreadable("is no text")
    found = _UNSTORABLE.search(value)
    if found is not None:
        raise Unreadable("holds a NUL" if found[0] == "\0" else "holds a lone surrogate")
    return value


def replace_unstorable(text: str) -> str:
    """The text with U+FFFD for what PostgreSQL can't hold: NUL and lone surrogates."""
    return _UNSTORABLE.sub("\ufffd", text)


def to_id(value: Any) -> int:
    """A signed 64-bit id, also as text. One that was written as a fraction may have lost digits: refused."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value)
    return _bounded(value, INT64)


def to_int64(value: Any) -> int:
    """A whole number, also as text or as `12.0`."""
    return _bounded(_whole_number(value), INT64)


def to_int32(value: Any) -> int:
    """A whole number of 32 bits, also as text or as `12.0`."""
    return _bounded(_whole_number(value), INT32)


def to_decimal(value: Any) -> Decimal:
    """An exact decimal, also as text: then in every form that `Decimal` takes, as the typed decode does."""
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise Unreadable("is no number") from None
    else:
        number = Decimal(_number(value))
    if not storable(number):
        raise Unreadable("is out of range")
    return number


def storable(number: Decimal) -> bool:
    """Whether a decimal is finite and of a size that a column can hold."""
    if not number.is_finite() or not -MAX_EXPONENT < number.adjusted() < MAX_EXPONENT:
        return False
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -MAX_SCALE


def to_float(value: Any) -> float:
    """A finite double, also as text."""
    number = _number(value)
    try:
        result = float(number)
    except OverflowError:
        result = float("inf")
    if not isfinite(result):
        raise Unreadable("is out of range")
    return result


def to_bool(value: Any) -> bool:
    """true or false, also as text in any case. 0 and 1 are no booleans."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        match value.strip().lower():
            case "true":
                return True
            case "false":
                return False
    raise Unreadable("is neither true nor false")


def to_time(value: Any) -> datetime:
    """An aware datetime in UTC; without an offset it is UTC already. Digits beyond microseconds are cut off."""
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise Unreadable("is no date and time")
    day, clock, fraction, offset = match.groups()
    offset = "+00:00" if offset is None or offset in "Zz" else offset
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '')[:6]:0<6}{offset}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable("is no date and time") from None


def to_choice(names: Mapping[str | int, str]) -> Callable[[Any], str]:
    """Reads an enumeration: name in any case, or number (also as text), to its canonical name. Others stay text."""
    folded = {name.casefold(): canonical for name, canonical in names.items() if isinstance(name, str)}

    def read(value: Any) -> str:
        if isinstance(value, str):
            text = to_text(value)
            known = folded.get(text.strip().casefold())
            if known is None and _WHOLE.fullmatch(text.strip()):
                known = names.get(int(text))
            return text if known is None else known
        if isinstance(value, int) and not isinstance(value, bool):
            return names.get(value, str(value))
        raise Unreadable("is neither a name nor a number")

    return read


def to_json(value: Any, depth: int = 0) -> Any:
    """Any JSON value of which PostgreSQL can make a jsonb. Ids and other whole numbers stay exact."""
    if depth > MAX_NESTING:
        raise Unreadable("is nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return to_text(value)
    if isinstance(value, int | Decimal):
        return value if isinstance(value, int) else to_float(value)
    if isinstance(value, list):
        return [to_json(item, depth + 1) for item in value]
    return {to_text(key): to_json(item, depth + 1) for key, item in value.items()}


def to_object(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise Unreadable("is no object")
    result: dict[str, Any] = to_json(value)
    return result


def duration_seconds(text: str) -> float | None:
    """The length of an ISO 8601 duration in days, hours, minutes and seconds; None for any other form."""
    match = re.fullmatch(
        r"(-)?P(?:(\d{1,7})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", text.strip(), re.ASCII
    )
    if match is None or not any(match.groups()[1:]):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups()[1:])
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    return -length if match[1] else length


def _number(value: Any) -> int | Decimal:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    raise Unreadable("is no number")


def _whole_number(value: Any) -> int:
    number = _number(value)
    if isinstance(number, int):
        return number
    if not storable(number) or number != number.to_integral_value():
        raise Unreadable("is no whole number")
    return int(number)


def _bounded(value: Any, bounds: tuple[int, int]) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unreadable("is no whole number")
    if not bounds[0] <= value <= bounds[1]:
        raise Unreadable("is out of range")
    return value
