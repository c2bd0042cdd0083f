"""What makes an answer a page. Strict about everything that decides progress; a doubt is PageInvalid: the page did not
happen, and it is asked for again. Lenient about records: one that is broken in itself is handed on for quarantine.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec
from msgspec import Raw

from mixhaul_mix import lenient
from mixhaul_mix.errors import PageInvalid
from mixhaul_mix.since import is_token
from mixhaul_mix.transport import Answer

MAX_RETRY_AFTER_SECONDS: Final = 3600.0
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = re.compile(r"[ \t\r\n]*")

_records: Final = msgspec.json.Decoder(list[Raw])
# Only finds where a value ends: takes NaN, control characters and lone surrogates, which costs their record only.
_extent: Final = json.JSONDecoder(strict=False, parse_int=lambda _: None, parse_float=lambda _: None)
_nesting: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def has_more(answer: Answer) -> bool:
    """What `HasMoreItems` says."""
    match _single(answer, "HasMoreItems").lower():
        case "true":
            return True
        case "false":
            return False
    raise PageInvalid("its HasMoreItems header is neither True nor False")


def promised_more(answer: Answer) -> bool | None:
    """Whether MiX counts this answer as a page with more to come; None: it is no page at all.

    A page that can't be read is taken for a last one: MiX may well think that it said so. Another status that says so
    in plain words is believed, too.
    """
    page = answer.status // 100 == 2
    try:
        more = has_more(answer)
    except PageInvalid:
        return False if page else None
    return more if page or not more else None


def next_token(answer: Answer) -> str:
    """What `GetSinceToken` says, byte for byte."""
    token = _single(answer, "GetSinceToken")
    if not is_token(token):
        raise PageInvalid("its GetSinceToken header is no usable token")
    return token


def records(answer: Answer) -> list[Raw]:
    """The records of a whole answer with a good status."""
    if answer.status == 204:
        return []
    if any("html" in value.lower() for value in answer.header("content-type")):
        raise PageInvalid("it is an HTML page")
    return split(answer.body)


def tree(answer: Answer) -> list[Any]:
    """The roots of an answer that is one object or a list of them, as JSON values."""
    if answer.status == 204:
        return []
    if any("html" in value.lower() for value in answer.header("content-type")):
        raise PageInvalid("it is an HTML page")
    try:
        value = lenient.parse(answer.body.removeprefix(_BOM))
    except lenient.NotJson as error:
        raise PageInvalid(str(error)) from None
    if not isinstance(value, dict | list):
        raise PageInvalid("its body is neither an object nor a list")
    return value if isinstance(value, list) else [value]


def split(body: bytes) -> list[Raw]:
    """The elements of a JSON array, each with its own bytes. Raises PageInvalid where the array itself is broken."""
    if body.startswith(_BOM):
        body = body[len(_BOM) :]
    try:
        return _records.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    head = body.lstrip()[:1]
    if head != b"[":
        what = {b"": "it is empty", b"<": "it is an HTML page"}.get(head, "its body is no JSON array")
        raise PageInvalid(what)
    try:
        return _split_leniently(body)
    except (ValueError, RecursionError):
        pass
    raise PageInvalid("its JSON is broken or ends early")


def _split_leniently(body: bytes) -> list[Raw]:
    text = body.decode("utf-8", "surrogateescape")
    found: list[Raw] = []
    at = _skip(text, text.index("[") + 1)
    if not text.startswith("]", at):
        while True:
            end = _end(text, at)
            found.append(Raw(text[at:end].encode("utf-8", "surrogateescape")))
            at = _skip(text, end)
            if text.startswith("]", at):
                break
            if not text.startswith(",", at):
                raise ValueError
            at = _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise ValueError
    return found


def _end(text: str, at: int) -> int:
    """Where the value that begins there ends. One that is nested too deeply to be read costs its record only."""
    try:
        return _extent.raw_decode(text, at)[1]
    except RecursionError:
        pass
    open_ones = 0
    for found in _nesting.finditer(text, at):
        if found[0][0] != '"':
            open_ones += 1 if found[0] in "[{" else -1
            if open_ones == 0:
                return found.end()
    raise ValueError


def retry_after_seconds(answer: Answer, *, now: datetime | None = None) -> float | None:
    """What `Retry-After` says, as seconds from now, at most an hour; None where there is none that can be read.

    A time in it is by the same clock as the answer's `Date`.
    """
    values = answer.header("retry-after")
    if not values:
        return None
    text = values[0].strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    moment = _http_time(text)
    if moment is None:
        return None
    there = next((time for time in map(_http_time, answer.header("date")) if time is not None), None)
    seconds = (moment - (there or now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def json_object(body: bytes) -> dict[str, Any] | None:
    """The body as a JSON object, or None."""
    try:
        value = msgspec.json.decode(body.removeprefix(_BOM))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _http_time(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter of numbers that no C int holds
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _single(answer: Answer, name: str) -> str:
    """The one value of a header. Repeated with the same value is one; two values are none."""
    values = {value.strip(" \t") for value in answer.header(name.lower())}
    if len(values) != 1:
        raise PageInvalid(f"its {name} header is {'missing' if not values else 'there twice and differs'}")
    return values.pop()


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()
