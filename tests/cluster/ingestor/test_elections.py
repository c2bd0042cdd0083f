"""The real Lease (15, 10 and 2 s), again and again, by way of a proxy that delays: how long until another leads.

MIXHAUL_ELECTIONS=20 for the figures of docs/benchmarks.md (`make bench-elections`); without it, once each.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from cluster.acts import eventually
from cluster.controlplane import ControlPlane
from cluster.ingestor.bed import FAST, SHORT, SMALL, TRAIL, make_bed
from cluster.ingestor.faultproxy import FaultProxy
from cluster.ingestor.writes import first_write, last_write, no_two_wrote
from faults.bed import Bed as Haul
from support.postgres import reachable_folder

TIMES = int(os.environ.get("MIXHAUL_ELECTIONS") or "1")
PROMISED_SECONDS = {signal.SIGKILL: 20.0, signal.SIGSTOP: 20.0, signal.SIGTERM: 3.0}
DELAY_SECONDS = 0.05

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 60 * TIMES)]


@pytest.fixture
def real_haul(database_url: str) -> Iterator[Haul]:
    """As `haul`, with the product's own durations."""
    with reachable_folder() as folder:
        found = Haul(folder)
        found.environment |= {name: value for name, value in SHORT.items() if not name.startswith("MIXHAUL_LEASE_")}
        found.use_database(database_url)
        try:
            found.prepare()
            found.start_simulator(*SMALL, *FAST)
            with psycopg.connect(database_url) as connection:
                connection.execute(TRAIL)
            yield found
        finally:
            found.close()


@pytest.mark.usefixtures("mixsources")
@pytest.mark.parametrize("number", PROMISED_SECONDS, ids=lambda number: number.name)
def test_another_leads_in_time(
    number: signal.Signals,
    plane: ControlPlane,
    namespace: str,
    real_haul: Haul,
    proxy: FaultProxy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bed = make_bed(plane, namespace, real_haul)
    bed.make_secret()
    bed.make_source("one")
    proxy.passing(delay=DELAY_SECONDS)
    pods = {name: bed.start(name, port=proxy.port) for name in "ab"}
    leading = eventually(bed.leader, within=60)
    led, wrote = [], []
    for _ in range(TIMES):
        assert bed.leads(leading)
        assert bed.flows("one")
        (other,) = set(pods) - {leading}
        waiting = pods[other]
        assert eventually(lambda waiting=waiting: waiting.lines("another process has the Lease"), within=60)  # type: ignore[misc]
        at = datetime.now(UTC)
        pods[leading].send(number)
        written = first_write(bed, other, after=at)
        ((acquired,),) = bed.rows("SELECT acquired_at FROM leader_epochs")
        led.append((acquired - at).total_seconds())
        wrote.append((written - at).total_seconds())
        if number is signal.SIGSTOP:
            stopped = pods[leading]
            said = len(stopped.lines("another process has the Lease"))
            stopped.send(signal.SIGCONT)
            # It wakes up as a leader, and finds that it is none.
            while len(stopped.lines("another process has the Lease")) <= said:
                time.sleep(0.1)
            assert last_write(bed, leading) < written
        else:
            pods[leading].process.wait(timeout=20)
            pods[leading] = bed.start(leading, port=proxy.port)
        leading = other
    with capsys.disabled():
        # Of xdist's processes only this is shown.
        sys.stderr.write(
            f"\n{TIMES} x {number.name}: another leads after {spread(led)}; its first page after {spread(wrote)}\n"
        )
    no_two_wrote(bed)
    assert max(led) <= PROMISED_SECONDS[number]


def spread(seconds: list[float]) -> str:
    return f"p50 {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s"
