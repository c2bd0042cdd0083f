"""Times in and out: the reader's time zone, dates as whole days of it, RFC 3339 with an offset.

A day of a time zone may have 23 or 25 hours; both ends are computed in that zone, never by adding 24 hours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_TIMESTAMP: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BARE_PLUS: Final = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:[0-9]{2}$)")
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
UTC_ZONE: Final = ZoneInfo("UTC")

Moment = datetime | date


@dataclass(frozen=True, slots=True)
class Period:
    """From `start`, which belongs to it, to `end`, which does not; None is open."""

    start: datetime | None
    end: datetime | None


def parse_moment(text: str) -> Moment:
    """An RFC 3339 date-time or a date; ValueError with a sentence for anything else."""
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise ValueError("is no day of the calendar") from error
    # A `+` that was not encoded as %2B arrives as a blank.
    text = _BARE_PLUS.sub("+", text)
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError("must be a date (2026-11-24) or a time with its offset (2026-11-24T08:00:00-03:00)")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("is no time of the calendar") from error


def parse_zone(text: str) -> ZoneInfo:
    """A time zone of the IANA database; ValueError with a sentence for anything else."""
    if _ZONE.fullmatch(text):
        try:
            return ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise ValueError("is not a time zone of the IANA database, such as America/Sao_Paulo")


def known_zone(text: str | None) -> ZoneInfo:
    """The time zone that an organisation has in MiX where that is an IANA name, or else UTC."""
    if text is None:
        return UTC_ZONE
    try:
        return parse_zone(text)
    except ValueError:
        return UTC_ZONE


def period(start: Moment | None, end: Moment | None, zone: ZoneInfo) -> Period:
    """The period between two moments. A date as `end` belongs to it whole. ValueError where it is turned round."""
    try:
        found = Period(
            None if start is None else _begin(start, zone),
            None if end is None else (end if isinstance(end, datetime) else _begin(end + timedelta(days=1), zone)),
        )
    except OverflowError as error:
        raise ValueError("lies outside of the calendar") from error
    if found.start is not None and found.end is not None and found.start >= found.end:
        raise ValueError("must lie after `from`")
    return found


def _begin(moment: Moment, zone: ZoneInfo) -> datetime:
    return moment if isinstance(moment, datetime) else midnight(moment, zone)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins there: the first moment of it where the clock jumps over midnight or passes it twice."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def show(moment: datetime, zone: ZoneInfo = UTC_ZONE) -> str:
    """RFC 3339 with the offset of that zone, in milliseconds; `Z` for none."""
    try:
        local = moment.astimezone(zone)
    except OverflowError:
        local = moment.astimezone(UTC)
    offset = local.utcoffset()
    if offset is not None and offset.total_seconds() % 60:
        # Local mean time, before there were time zones: RFC 3339 has no seconds in an offset.
        local = moment.astimezone(UTC)
    return local.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show_if(moment: datetime | None, zone: ZoneInfo = UTC_ZONE) -> str | None:
    """The same for a time that may be absent."""
    return None if moment is None else show(moment, zone)
