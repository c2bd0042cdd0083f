"""An endless feed for benchmarks: every call gets a full page, and there is always more.

A page is patched together from prebuilt pieces; ids and times depend on the token alone, so the same token always gives
the same page. Nothing is kept but counts. With `cycle`, the ids of only so many pages come, again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from mixhaul_simulator.eventmaker import EventMaker
from mixhaul_simulator.times import iso

_TEMPLATES: Final = 1000
_FIRST: Final = 1_000_000_000_000_000_000
_PER_ORGANISATION: Final = 10_000_000_000_000_000
_BLOCKS: Final = 800  # as many fit into 64 bits; ids are unique within an organisation anyway
_PART: Final = re.compile(rb'("EventId":)-?\d+|("(?:StartDateTime|EndDateTime|Timestamp)":)"[^"]*"')


class Endless:
    """Full pages for ever."""

    def __init__(self, *, maker: EventMaker, organisations: Iterable[int], now_ms: int, cycle: int) -> None:
        self._numbers = {group: number for number, group in enumerate(organisations)}
        self._cycle = cycle
        self._pieces: list[bytes] = [b"["]
        self._id_places: list[int] = []
        self._time_places: list[int] = []
        self._stops: list[int] = []
        self.tokens: dict[int, set[int]] = {group: set() for group in self._numbers}
        self.pages: dict[int, int] = dict.fromkeys(self._numbers, 0)
        self.events: dict[int, int] = dict.fromkeys(self._numbers, 0)
        for number in range(_TEMPLATES):
            record, _ = maker.event(maker.vehicle(), now_ms)
            self._cut(record, first=number == 0)

    def _cut(self, record: bytes, *, first: bool) -> None:
        text = record if first else b"," + record
        at = 0
        for match in _PART.finditer(text):
            label = match.group(1) or match.group(2)
            self._pieces.append(text[at : match.start()] + label)
            (self._id_places if match.group(1) else self._time_places).append(len(self._pieces))
            self._pieces.append(b"")
            at = match.end()
        self._pieces.append(text[at:])
        self._stops.append(len(self._pieces))

    def page(self, group: int, after_ms: int, quantity: int) -> tuple[bytes, int, int]:
        """Body, how many events, and the millisecond of the next token."""
        number = self._numbers.get(group, 0)
        index = after_ms % self._cycle if self._cycle else after_ms
        base = _FIRST + number % _BLOCKS * _PER_ORGANISATION + index * _TEMPLATES
        pieces = self._pieces
        moment = f'"{iso(after_ms, fraction=True)}"'.encode()
        for place in self._time_places:
            pieces[place] = moment
        for event, place in enumerate(self._id_places):
            pieces[place] = b"%d" % (base + event)
        self.tokens[group].add(after_ms)
        self.pages[group] += 1
        self.events[group] += quantity
        if quantity == _TEMPLATES:
            return b"".join((*pieces, b"]")), quantity, after_ms + 1
        return b"".join((*pieces[: self._stops[quantity - 1]], b"]")), quantity, after_ms + 1

    def view(self) -> dict[str, Any]:
        """What was served, for organisations that were asked for."""
        return {
            str(group): {
                "pages": self.pages[group],
                "distinctPages": len({token % self._cycle for token in tokens} if self._cycle else tokens),
                "events": self.events[group],
            }
            for group, tokens in self.tokens.items()
            if tokens
        }
