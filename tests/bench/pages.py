"""Pages as the feed sends them, from the simulator's own maker: full, never the same, with ids all over 64 bits.

The ids are spread because that is the harder case: rising ones fill an index at its end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from random import Random

from mixhaul_simulator.clock import MovableClock
from mixhaul_simulator.endless import Endless
from mixhaul_simulator.eventmaker import EventMaker
from mixhaul_simulator.faults import Faults
from mixhaul_simulator.ids import Ids, mixed
from mixhaul_simulator.settings import Settings
from mixhaul_simulator.world import World

PAGE = 1000
_ID = re.compile(rb'("EventId":)(-?\d+)')


class Pages:
    """A source of pages of 1000 events. Two sources never give the same id, unless made in the same millisecond."""

    def __init__(self, *, rising: bool = False) -> None:
        now = time.time_ns() // 1_000_000
        world = World(
            Settings(organisations=1, endless=True), clock=MovableClock(now), faults=Faults(seed=1), start_ms=now
        )
        (organisation,) = world.organisations.values()
        maker = EventMaker(
            random=Random(1), ids=Ids(seed=1, organisation=2**21), support=organisation.support, ghosts=(1,)
        )
        self._feed = Endless(maker=maker, organisations=world.organisations, now_ms=now, cycle=0)
        self._group = organisation.group_id
        self._next = now
        self._rising = rising

    def fresh(self) -> bytes:
        """The next page, with ids that nobody has."""
        body, _, self._next = self._feed.page(self._group, self._next, PAGE)
        return body if self._rising else _ID.sub(_spread, body)


def _spread(match: re.Match[bytes]) -> bytes:
    return b"%s%d" % (match[1], mixed(1, int(match[2])))


def joined(records: Sequence[bytes]) -> bytes:
    """A page of these records."""
    return b"[" + b",".join(records) + b"]"
