"""The single values of a MixSource: ids, URLs, cron lines, time zones, starting points.

Each parser takes what JSON or YAML gave and returns the value or raises `ValueError` with a sentence that says what to
do. They are pure but for the time-zone database.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from datetime import UTC, datetime
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from cronsim import CronSim, CronSimError

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

ID_PATTERN: Final = r"^(0|-?[1-9][0-9]{0,18})$"
URL_PATTERN: Final = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
_STEPS: Final = r"[0-9*,/\-]+"
_MONTH: Final = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAY: Final = "SUN|MON|TUE|WED|THU|FRI|SAT"
# What both the CronJob controller and cronsim read: no seconds, no @daily, no L, W or #, no 7 for Sunday.
CRON_PATTERN: Final = rf"^{_STEPS} {_STEPS} {_STEPS} ([0-9*,/\-]|{_MONTH})+ ([0-6*,\-]|/[0-9]+|{_DAY})+$"
TIME_ZONE_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+)*$"
START_PATTERN: Final = (
    r"^(Oldest|Now|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+\-][0-9]{2}:[0-9]{2}))?)$"
)

ID_MESSAGE: Final = "must be a whole number within 64 bits, as a decimal string without plus sign or leading zeros"
CRON_MESSAGE: Final = (
    "must be a cron line of five fields as a CronJob takes it (minute, hour, day of month, month, day of week 0-6), "
    "such as '30 4 * * *'"
)
URL_MESSAGE: Final = (
    "must be https://, the host and, where needed, a port and a path, without user name and password, '?' and '#'"
)
TIME_ZONE_MESSAGE: Final = "must be a name of the IANA database such as America/Sao_Paulo"
START_MESSAGE: Final = (
    "must be Oldest, Now, a date such as 2026-11-01 or a date and time with offset such as 2026-11-01T06:00:00-03:00"
)


def parse_id(value: object) -> int:
    """A 64-bit id from its decimal string."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{ID_MESSAGE}, in quotes")  # noqa: TRY004 - a TypeError would not become a sentence
    if isinstance(value, int | float):
        raise ValueError(  # noqa: TRY004 - as above
            f'is a YAML number, which loses digits beyond 2^53: put it in quotes, as "{value}"'
            if isinstance(value, int)
            else "is a YAML number with a fraction or exponent: write the id's digits in quotes"
        )
    if re.fullmatch(ID_PATTERN, value) is None or not INT64_MIN <= int(value) <= INT64_MAX:
        raise ValueError(f"{value!r} is no id: it {ID_MESSAGE}")
    return int(value)


def parse_url(value: str) -> str:
    """A base URL without a slash at its end, scheme and host in lower case."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{value!r} is no URL: {error}") from error
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or re.search(r"\s", value):
        raise ValueError(f"{value!r} is no URL: write https://, the host and, where needed, a port and a path")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password: they belong into the Secret")
    if "?" in value or "#" in value:
        raise ValueError(f"{value!r} must end with its path: leave out what follows the '?' or '#'")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme.lower()}://{host}{f':{port}' if port is not None else ''}{parts.path.rstrip('/')}"


def parse_schedule(value: str) -> str:
    """A cron line that a CronJob takes; one of days that never come (31 February) is refused too."""
    if re.fullmatch(CRON_PATTERN, value) is None:
        raise ValueError(f"{value!r} is no schedule: it {CRON_MESSAGE}")
    try:
        CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{value!r} is no schedule ({error}): it {CRON_MESSAGE}") from error
    return value


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def parse_time_zone(value: str) -> str:
    """A name of the IANA database."""
    if value in _time_zones():
        return value
    close = difflib.get_close_matches(value, sorted(_time_zones()), n=1)
    lower = {name.lower(): name for name in _time_zones()}
    hint = lower.get(value.lower()) or (close[0] if close else None)
    meant = f"did you mean {hint}?" if hint else "use a name of the IANA database such as America/Sao_Paulo"
    raise ValueError(f"{value!r} is no time zone: {meant}")


def parse_start(value: str) -> str:
    """`Oldest`, `Now`, or a date that exists."""
    if re.fullmatch(START_PATTERN, value) is None:
        raise ValueError(f"{value!r} {START_MESSAGE}")
    if value not in ("Oldest", "Now"):
        try:
            start_time(value)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{value!r} is no date ({error}): it {START_MESSAGE}") from error
    return value


def start_time(value: str) -> datetime | None:
    """The moment that a starting point names, in UTC; None for `Oldest` and `Now`. A bare date is its midnight."""
    if value in ("Oldest", "Now"):
        return None
    parsed = datetime.fromisoformat(value)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
