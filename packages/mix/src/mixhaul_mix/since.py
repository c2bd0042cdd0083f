"""Times as MiX writes them in URLs, and the tokens of its feeds.

A token that MiX gave is opaque: reading a time out of it is for display only. The one token that we make is
`first_token`, and it is never stored as progress.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

TOKEN_LIFE: Final = timedelta(days=7)
FIRST_TOKEN_MARGIN: Final = timedelta(minutes=10)
MAX_TOKEN_LENGTH: Final = 512
# What RFC 3986 lets stand in a path segment as it is: a server that compares bytes gets the very bytes that it gave.
_AS_IT_IS: Final = "!$&'()*+,;=:@~"

_DIGITS: Final = re.compile(r"(\d{14})(\d{3})?", re.ASCII)


def stamp(moment: datetime) -> str:
    """`yyyyMMddHHmmss` in UTC."""
    return _utc(moment).strftime("%Y%m%d%H%M%S")


def day_stamp(moment: datetime) -> str:
    """`yyyyMMdd` in UTC."""
    return _utc(moment).strftime("%Y%m%d")


def first_token(now: datetime) -> str:
    """The oldest token that MiX surely accepts: seven days less ten minutes before `now`, `yyyyMMddHHmmssfff`."""
    return time_token(now - TOKEN_LIFE + FIRST_TOKEN_MARGIN)


def time_token(moment: datetime) -> str:
    """The token for a moment, `yyyyMMddHHmmssfff`."""
    return f"{stamp(moment)}{_utc(moment).microsecond // 1000:03d}"


def token_time(token: str) -> datetime | None:
    """The moment that a token seems to stand for; None where it is of another form."""
    match = _DIGITS.fullmatch(token)
    if match is None:
        return None
    try:
        moment = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment + timedelta(milliseconds=int(match[2] or 0))


def is_token(text: str) -> bool:
    """Whether it can go into a URL path as one segment and come out as it was."""
    return (
        0 < len(text) <= MAX_TOKEN_LENGTH
        and all("!" <= character <= "~" for character in text)
        and text not in {".", ".."}
    )


def token_segment(token: str) -> str:
    """The token as a path segment: byte for byte where the characters allow it, else percent-encoded."""
    if not is_token(token):
        raise ValueError("not a feed token")
    return quote(token, safe=_AS_IT_IS)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a naive datetime")
    return moment.astimezone(UTC)
