"""The leading pod's process is killed again and again, with a backlog and free budget: how long until MiX is asked.

MIXHAUL_FAILOVERS=20 kills as often; without it, some. Times are printed, and nothing is asserted of them but what the
product promises.
"""

from __future__ import annotations

import os
import statistics

import pytest

from cluster.acts import eventually
from cluster.flow.killing import Killer
from cluster.flow.world import World

TIMES = int(os.environ.get("MIXHAUL_FAILOVERS") or "3")
PROMISED_SECONDS = 20.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 120 * TIMES)]


def test_kills_lose_nothing_and_break_no_rule(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.start_simulator(
        *("--organisations", "1", "--events-per-minute", "600", "--history-days", "2"),
        *("--events-per-vehicle-day", str(100 + 40 * TIMES), "--requests-per-minute", "6000", "--pause-seconds", "1"),
    )
    world.apply_secret()
    # Pages so small that the backlog outlasts the kills, and more calls than can be made, so that the budget is never
    # what is waited for: one that is spent keeps the next leader waiting for up to a minute, as it should.
    world.apply_source(requests_per_minute=6000, page_size=5)
    eventually(lambda: world.query("SELECT count(*) FROM raw_pages")[0][0] > 2, within=120)
    killer = Killer(world)
    try:
        killer.start()
        seen = []
        for number in range(TIMES):
            found = killer.kill_the_leader()
            seen.append(found)
            with capsys.disabled():
                print(f"\nkill {number + 1}: led after {found.led:.1f} s", end=", ")
                print(f"first call after {found.call:.1f} s, page after {found.page:.1f} s")
    finally:
        killer.stop()
    calls, pages = [each.call for each in seen], [each.page for each in seen]
    with capsys.disabled():
        print(
            f"{TIMES} kills: to the first call p50 {statistics.median(calls):.1f} s, worst {max(calls):.1f} s; "
            f"to the next page p50 {statistics.median(pages):.1f} s, worst {max(pages):.1f} s"
        )
    assert max(calls) <= PROMISED_SECONDS
    assert world.control("GET", "/control/records?since=0")["violations"] == []
    world.control("POST", "/control/generate", {"stop": True})
    world.apply_source(requests_per_minute=6000, page_size=1000)
    eventually(lambda: not world.difference(), within=300)
