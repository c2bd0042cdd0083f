"""The order in which MiX's database created things: what a feed pages through.

Times of creation never go back. `page` never splits a millisecond, so a token, which is a millisecond, neither loses
nor repeats anything; that is why a page may hold more than was asked for. An event that was changed leaves its old
place: an answer always shows the state of now.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from mixhaul_simulator.times import iso


@dataclass(frozen=True, slots=True)
class Page:
    """Entries `start` to `stop` of the log; `token_ms` is where to go on."""

    records: list[bytes]
    start: int
    stop: int
    token_ms: int
    has_more: bool


class FeedLog:
    """Append-only list of JSON objects by time of creation."""

    def __init__(self) -> None:
        self.created: array[int] = array("q")
        self.records: list[bytes | None] = []
        self.floor_ms = 0
        self._gaps = 0

    def __len__(self) -> int:
        return len(self.records)

    def time_for(self, wanted_ms: int) -> int:
        """When something made at `wanted_ms` counts as created: after every given token, not before the last one."""
        last = self.created[-1] if self.created else 0
        return max(wanted_ms, last, self.floor_ms + 1)

    def append(self, created_ms: int, record: bytes) -> int:
        """Add at the end; answers the place. `created_ms` comes from `time_for`."""
        self.created.append(created_ms)
        self.records.append(record)
        return len(self.records) - 1

    def drop(self, place: int) -> None:
        """Nothing is at this place any more: a newer version is further on."""
        self.records[place] = None
        self._gaps += 1

    def given(self, token_ms: int) -> None:
        """A token went out: whatever is created from now on is later than it."""
        self.floor_ms = max(self.floor_ms, token_ms)

    def page(self, after_ms: int, quantity: int, *, now_ms: int) -> Page:
        """What was created after `after_ms`: `quantity` of it, and the rest of its last millisecond."""
        start = bisect_right(self.created, after_ms)
        stop = min(start + quantity, len(self.records))
        if stop > start:
            stop = bisect_right(self.created, self.created[stop - 1])
        has_more = stop < len(self.records)
        token_ms = self.created[stop - 1] if has_more else max(now_ms, after_ms, self.created[-1] if stop else 0)
        return Page(self.live(start, stop), start, stop, token_ms, has_more)

    def live(self, start: int, stop: int) -> list[bytes]:
        """The records of a stretch that are still in their place."""
        found = self.records[start:stop]
        if self._gaps:
            return [record for record in found if record is not None]
        return found  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Facts:
    """What history asks for, kept beside the bytes."""

    event_id: int
    asset_id: int
    driver_id: int
    type_id: int
    started_ms: int


@dataclass(frozen=True, slots=True)
class Stored:
    """The latest version of an event."""

    record: bytes
    created_at: str


class EventLog(FeedLog):
    """A feed log of events: knows the latest version of each id, and which records are no events at all."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[int] = []
        self.facts: list[Facts | None] = []
        self.bad: dict[int, str] = {}
        self._places: dict[int, list[int]] = {}

    def put(self, created_ms: int, record: bytes, facts: Facts) -> None:
        """A new event, the same again, or a later version, which takes the place of all earlier ones."""
        places = self._places.get(facts.event_id)
        if places is None:
            self.order.append(facts.event_id)
            places = self._places[facts.event_id] = []
        elif self.records[places[-1]] != record:
            for place in places:
                self.drop(place)
            places.clear()
        places.append(self.append(created_ms, record))
        self.facts.append(facts)

    def page_of_types(self, after_ms: int, quantity: int, *, types: frozenset[int], now_ms: int) -> Page:
        """A page of events of these types alone; what can't be read as an event belongs to all types."""
        start = bisect_right(self.created, after_ms)
        records: list[bytes] = []
        stop = start
        while stop < len(self.records):
            if len(records) >= quantity and self.created[stop] != self.created[stop - 1]:
                break
            facts, record = self.facts[stop], self.records[stop]
            if record is not None and (facts is None or facts.type_id in types):
                records.append(record)
            stop += 1
        has_more = stop < len(self.records)
        token_ms = self.created[stop - 1] if has_more else max(now_ms, after_ms, self.created[-1] if stop else 0)
        return Page(records, start, stop, token_ms, has_more)

    def put_bad(self, created_ms: int, record: bytes, variant: str) -> None:
        """A record that can't be read as an event."""
        self.bad[self.append(created_ms, record)] = variant
        self.facts.append(None)

    def latest(self, event_id: int) -> Stored | None:
        """The event as it is now."""
        places = self._places.get(event_id)
        if places is None:
            return None
        record = self.records[places[-1]]
        assert record is not None  # the last place of an id is never dropped
        return Stored(record, iso(self.created[places[-1]], fraction=True, suffix="Z"))

    def facts_of(self, event_id: int) -> Facts | None:
        places = self._places.get(event_id)
        return self.facts[places[-1]] if places else None

    def current(self) -> Iterator[tuple[int, Facts, bytes]]:
        """Each event once: time of creation, facts, record."""
        for places in self._places.values():
            place = places[-1]
            facts, record = self.facts[place], self.records[place]
            if facts is not None and record is not None:
                yield self.created[place], facts, record
