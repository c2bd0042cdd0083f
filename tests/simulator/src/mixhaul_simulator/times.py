"""Times as whole milliseconds since 1970 UTC, and the texts that MiX makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from mixhaul_simulator.errors import BadRequest

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def day_text(day: int) -> str:
    """`yyyy-MM-dd` of a day since 1970."""
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def iso(ms: int, *, fraction: bool = False, suffix: str = "") -> str:
    """`yyyy-MM-ddTHH:mm:ss[.fff]` in UTC, without an offset unless `suffix` brings one."""
    seconds, millis = divmod(ms, SECOND)
    day, rest = divmod(seconds, 86400)
    text = f"{day_text(day)}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{text}.{millis:03d}{suffix}" if fraction else text + suffix


def token_of(ms: int) -> str:
    """`yyyyMMddHHmmssfff`, what MiX takes and gives as a token."""
    seconds, millis = divmod(ms, SECOND)
    day, rest = divmod(seconds, 86400)
    return f"{day_text(day).replace('-', '')}{rest // 3600:02d}{rest // 60 % 60:02d}{rest % 60:02d}{millis:03d}"


def ms_of(moment: datetime) -> int:
    """Whole milliseconds; a time without an offset is UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def read_digits(text: str, *, what: str, digits: int) -> int:
    """A time in digits: `yyyyMMdd`, `yyyyMMddHHmmss` or `yyyyMMddHHmmssfff`."""
    if len(text) != digits or not text.isascii() or not text.isdigit():
        raise BadRequest(f"{what} must be {digits} digits (yyyyMMddHHmmssfff[:{digits}]), not '{text}'")
    padded = text.ljust(17, "0")
    try:
        moment = datetime(
            int(padded[:4]),
            int(padded[4:6]),
            int(padded[6:8]),
            int(padded[8:10]),
            int(padded[10:12]),
            int(padded[12:14]),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise BadRequest(f"{what} '{text}' is no date: {error}") from error
    return ms_of(moment) + int(padded[14:])


def read_iso(text: object, *, what: str) -> int:
    """An ISO 8601 time; without an offset it is UTC."""
    if not isinstance(text, str):
        raise BadRequest(f"{what} must be an ISO 8601 time in quotes, not {text!r}")
    try:
        return ms_of(datetime.fromisoformat(text))
    except ValueError as error:
        raise BadRequest(f"{what} must be an ISO 8601 time such as 2026-11-24T12:00:00Z, not '{text}'") from error
