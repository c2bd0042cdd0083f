"""The endless feed: full pages, fresh ids, and the same page for the same token."""

from __future__ import annotations

from random import Random

import orjson

from mixhaul_simulator import support
from mixhaul_simulator.endless import Endless
from mixhaul_simulator.eventmaker import EventMaker
from mixhaul_simulator.ids import Ids

NOW = 1_790_000_000_000


def endless(*, cycle: int = 0) -> Endless:
    random, ids = Random(1), Ids(seed=1, organisation=1)
    size = support.Size(drivers=5, vehicles=3, types=8)
    lists = support.build(random=random, ids=ids, root_id=9, name="x", size=size, start_ms=NOW)
    maker = EventMaker(random=random, ids=ids, support=lists, ghosts=(1,))
    return Endless(maker=maker, organisations=[9, -4], now_ms=NOW, cycle=cycle)


def ids_of(body: bytes) -> list[int]:
    return [event["EventId"] for event in orjson.loads(body)]


def test_pages_are_full_and_their_ids_fresh() -> None:
    feed = endless()
    seen: set[int] = set()
    token = NOW
    for _ in range(5):
        body, count, token = feed.page(9, token, 1000)
        ids = ids_of(body)
        assert len(ids) == count == len(set(ids)) == 1000
        assert seen.isdisjoint(ids)
        seen.update(ids)
    assert seen.isdisjoint(ids_of(feed.page(-4, NOW, 1000)[0]))
    assert max(seen) < 2**63
    assert feed.view() == {
        "9": {"pages": 5, "distinctPages": 5, "events": 5000},
        "-4": {"pages": 1, "distinctPages": 1, "events": 1000},
    }


def test_the_same_token_gives_the_same_page() -> None:
    feed = endless()
    assert feed.page(9, NOW, 1000) == feed.page(9, NOW, 1000)
    assert ids_of(feed.page(9, NOW, 30)[0]) == ids_of(feed.page(9, NOW, 1000)[0])[:30]


def test_a_cycle_brings_the_ids_again() -> None:
    feed = endless(cycle=3)
    pages = [ids_of(feed.page(9, NOW + number, 100)[0]) for number in range(6)]
    assert pages[:3] == pages[3:]
    assert feed.view()["9"]["distinctPages"] == 3
