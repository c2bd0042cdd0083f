"""An answer that is not the JSON of a shape: a text or a stream of another media type, chosen by `Accept`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from mixhaul_api.problems import NOT_ACCEPTABLE, Problem

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Representation:
    """A body and its media type. A stream is sent as it comes: what fails in it after its beginning cuts it off."""

    content_type: str
    body: bytes | AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


def accepted(header: str | None, offered: Sequence[str]) -> str:
    """The media type to answer in: the offered one that `Accept` likes most, the first of them where it has no say.

    A `Problem` where it accepts none. Parameters of media types other than `q` are passed over.
    """
    if header is None or not header.strip():
        return offered[0]
    ranges = [found for one in header.split(",") if (found := _range(one)) is not None]
    best, best_quality = None, 0.0
    for media_type in offered:
        quality = _quality(media_type, ranges)
        if quality > best_quality:
            best, best_quality = media_type, quality
    if best is None:
        raise Problem(NOT_ACCEPTABLE, f"This is there as {', '.join(offered)} only; Accept asks for something else.")
    return best


def _range(text: str) -> tuple[str, float] | None:
    media_type, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(1.0, max(0.0, float(value)))
            except ValueError:
                return None
    return (media_type, quality) if "/" in media_type or media_type == "*" else None


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """That of the most specific range which holds the media type."""
    plain = media_type.partition(";")[0]
    whole = plain.partition("/")[0] + "/*"
    for wanted in (plain, whole, "*/*"):
        found = [quality for name, quality in ranges if name == wanted or (name == "*" and wanted == "*/*")]
        if found:
            return max(found)
    return 0.0
