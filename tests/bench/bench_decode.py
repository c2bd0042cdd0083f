"""How long a page of 1000 events of 1.5 KB takes to split, identify and decode, beside `json.loads` in the same run.

Run it by hand: `uv run python tests/bench/bench_decode.py`. It prints; it asserts no time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mixhaul_mix.events import EventDecoder, event_id, split
from mixhaul_mix.records import read_event
from support.mix_events import encoded, event

EVENTS = 1000
ROUNDS = 15


def variant(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A page of events that all differ from a clean one in the same way."""
    events = [event(number) for number in range(EVENTS)]
    for one in events:
        change(one)
    return encoded(events)


def with_offsets(one: dict[str, Any]) -> None:
    for place in (one, one["StartPosition"], one["EndPosition"]):
        for name in ("StartDateTime", "EndDateTime", "Timestamp"):
            if name in place:
                place[name] += ".1234567Z"


def with_unknown_fields(one: dict[str, Any]) -> None:
    one["NewField"] = {"a": [1, 2.5, "x"]}
    one["StartPosition"]["NewToo"] = 1


def numbers_as_text(one: dict[str, Any]) -> None:
    for place in (one, one["StartPosition"], one["EndPosition"]):
        for name, value in place.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                place[name] = str(value)


def nothing(_: dict[str, Any]) -> None:
    pass


def measure(works: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Milliseconds of each, taken in turns so that a busy moment hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - began) * 1000)
    return times


def main() -> None:
    """Print a table: least and median of each, and the median as a share of json.loads."""
    clean = variant(nothing)
    raws = [bytes(raw) for raw in split(clean)]

    def decoding(body: bytes) -> Callable[[], object]:
        decode, records = EventDecoder().decode, [bytes(raw) for raw in split(body)]
        return lambda: [decode(raw) for raw in records]

    times = measure(
        {
            "json.loads of each record": lambda: [json.loads(raw) for raw in raws],
            "split": lambda: split(clean),
            "event_id": lambda: [event_id(raw) for raw in raws],
            "decode_event, clean": decoding(clean),
            "decode_event, dates with fractions and Z": decoding(variant(with_offsets)),
            "decode_event, unknown fields": decoding(variant(with_unknown_fields)),
            "decode_event, numbers as text": decoding(variant(numbers_as_text)),
            "lenient reader alone, clean": lambda: [read_event(raw) for raw in raws],
        }
    )
    base = median(times["json.loads of each record"])
    print(f"{EVENTS} events, {len(clean) / EVENTS / 1024:.2f} KiB each; milliseconds over {ROUNDS} rounds")
    print(f"{'':44}{'least':>8}{'median':>8}{'share':>8}")
    for name, taken in times.items():
        print(f"{name:44}{min(taken):8.2f}{median(taken):8.2f}{median(taken) / base:8.2f}")


if __name__ == "__main__":
    main()
