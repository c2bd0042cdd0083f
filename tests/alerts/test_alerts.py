"""Each alert that needs no cluster, end to end: a fault at its place, the alert fires, the fault goes, it resolves.

Real programs, a real PostgreSQL, the simulated MiX, Debian's Prometheus with the chart's rules, a minute of which takes
two seconds. The operator's alerts are seen in tests/cluster.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import psycopg
import pytest
from psycopg import sql

from alerts.conftest import Site
from alerts.prometheus import hastened
from faults.bed import wait_for
from support import api_server

LAG = 5

pytestmark = pytest.mark.timeout(400)


def clear(site: Site) -> None:
    site.bed.simulator.call("DELETE", "/control/faults")


def stored(site: Site) -> int:
    with psycopg.connect(site.bed.url) as connection:
        row = connection.execute("SELECT count(*) FROM event_keys").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def asking(url: str, *, token: str, callers: int = 2) -> Iterator[None]:
    """Somebody asks the API all the while; what it answers is not looked at."""
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
            while not over.is_set():
                with suppress(httpx.HTTPError):
                    client.get(f"{url}/api/drivers", params={"limit": 1})
                time.sleep(0.05)

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def no_connections(url: str) -> Iterator[None]:
    """The database lets nobody in, and throws out those who are."""
    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            yield
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))


def organisations(site: Site) -> list[str]:
    listed = site.bed.simulator.call("GET", "/control/truth/organisations")["organisations"]
    return [str(each["GroupId"]) for each in listed]


def test_the_watchdog_and_a_healthy_system(site: Site) -> None:
    call = site.simulator()
    site.ingestor()
    site.api()
    prometheus = site.watch(thresholds={"ingestLagSeconds": 60})
    prometheus.wait_until("MixhaulWatchdog", fires=True)
    wait_for(
        lambda: prometheus.query("mixhaul_ingest_cursor_timestamp_seconds"), what="figures of the feed", seconds=30
    )
    wait_for(lambda: len(prometheus.query("mixhaul_build_info")) == 2, what="both programs", seconds=30)
    call("POST", "/control/generate", {"stop": True})
    time.sleep(15)
    # Everything else is quiet, but for the operator, which does not run here.
    with_figures = {each["alertname"] for name in QUIET for each in prometheus.firing(name)}
    assert with_figures == set()


QUIET = (
    *("MixhaulIngestLagging", "MixhaulCursorExpiring", "MixhaulGapOpen", "MixhaulEventsMissing"),
    *("MixhaulEventsQuarantined", "MixhaulUpstreamThrottled", "MixhaulDatabasePoolExhausted", "MixhaulNoLeader"),
    *("MixhaulSplitBrain", "MixhaulIngestorDown", "MixhaulAPIDown", "MixhaulAPIErrorBudgetBurn"),
    "MixhaulAPILatencyBudgetBurn",
)


def test_ingest_lagging_and_cursor_expiring(site: Site) -> None:
    call = site.simulator()
    site.ingestor()
    wait_for(lambda: stored(site), what="events", seconds=60)
    seven_days = 7 * 86400
    prometheus = site.watch(
        thresholds={
            "ingestLagSeconds": LAG,
            "cursorExpiryWarningSeconds": seven_days - 10,
            "cursorExpiryCriticalSeconds": 1,
        }
    )
    one = organisations(site)[0]
    call("POST", "/control/faults", {"kind": "status-503", "rate": 1.0, "organisation": one})
    fired = prometheus.wait_until("MixhaulIngestLagging", fires=True)
    assert [each["organisation"] for each in fired] == [one], "one organisation of two is broken"
    assert {each["severity"] for each in prometheus.wait_until("MixhaulCursorExpiring", fires=True)} == {"warning"}
    clear(site)
    prometheus.wait_until("MixhaulIngestLagging", fires=False)
    prometheus.wait_until("MixhaulCursorExpiring", fires=False)


def test_events_quarantined(site: Site) -> None:
    call = site.simulator()
    site.ingestor()
    prometheus = site.watch(factor=120)
    wait_for(lambda: prometheus.query("mixhaul_ingest_events_total"), what="figures of the feed", seconds=30)
    call("POST", "/control/faults", {"kind": "bad-record", "count": 3})
    prometheus.wait_until("MixhaulEventsQuarantined", fires=True)
    prometheus.wait_until("MixhaulEventsQuarantined", fires=False, seconds=120)


def test_upstream_throttled(site: Site) -> None:
    call = site.simulator()
    site.ingestor()
    prometheus = site.watch()
    wait_for(lambda: prometheus.query("mixhaul_upstream_requests_total"), what="figures of calls", seconds=30)
    call("POST", "/control/faults", {"kind": "status-429", "rate": 0.5})
    prometheus.wait_until("MixhaulUpstreamThrottled", fires=True, seconds=120)
    clear(site)
    prometheus.wait_until("MixhaulUpstreamThrottled", fires=False, seconds=120)


def test_no_leader(site: Site) -> None:
    site.simulator()
    site.ingestor("a")
    site.ingestor("b")
    prometheus = site.watch()
    wait_for(lambda: prometheus.query("sum(mixhaul_leader) == 1"), what="a leader", seconds=30)
    # Somebody who does not haul holds the leadership, and renews it.
    over = threading.Event()

    def hold() -> None:
        with psycopg.connect(site.bed.url, autocommit=True) as connection:
            connection.execute("UPDATE leader_epochs SET epoch = epoch + 1, holder = 'nobody'")
            while not over.wait(0.2):
                connection.execute(
                    "UPDATE leader_heartbeats h SET epoch = e.epoch, holder = e.holder, renewed_at = clock_timestamp()"
                    " FROM leader_epochs e WHERE e.lease = h.lease"
                )

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        prometheus.wait_until("MixhaulNoLeader", fires=True)
    finally:
        over.set()
        thread.join()
    prometheus.wait_until("MixhaulNoLeader", fires=False)


def test_split_brain(site: Site) -> None:
    site.simulator()
    site.ingestor("a")
    prometheus = site.watch()
    wait_for(lambda: prometheus.query("sum(mixhaul_leader) == 1"), what="a leader", seconds=30)
    # Two of one database can't lead at once: another lease stands for a second database in the same namespace.
    with psycopg.connect(site.bed.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE other")
    other = site.bed.url.rpartition("/")[0] + "/other"
    assert site.bed.run("migrate").returncode == 0
    site.bed.environment["MIXHAUL_DATABASE_URL"] = other
    assert site.bed.run("migrate").returncode == 0
    second = site.ingestor("b", extra={"MIXHAUL_DATABASE_URL": other})
    prometheus.wait_until("MixhaulSplitBrain", fires=True)
    second.kill()
    second.wait()
    prometheus.wait_until("MixhaulSplitBrain", fires=False)


def test_ingestor_down_and_api_down(site: Site) -> None:
    site.simulator()
    process = site.ingestor("a")
    api = site.api()
    prometheus = site.watch()
    wait_for(lambda: len(prometheus.query("mixhaul_build_info")) == 2, what="both programs", seconds=30)
    process.kill()
    process.wait()
    prometheus.wait_until("MixhaulIngestorDown", fires=True)
    assert prometheus.firing("MixhaulAPIDown") == []
    site.ingestor("b")
    prometheus.wait_until("MixhaulIngestorDown", fires=False)
    api.process.kill()
    api.process.wait()
    prometheus.wait_until("MixhaulAPIDown", fires=True)
    site.api()
    prometheus.wait_until("MixhaulAPIDown", fires=False)


def test_api_error_budget(site: Site) -> None:
    site.simulator()
    api = site.api()
    prometheus = site.watch()
    assert site.key is not None
    token = api_server.token(site.key, "1")
    with asking(api.url, token=token):
        wait_for(lambda: prometheus.query("sum(mixhaul_api_requests_total) > 20"), what="requests", seconds=30)
        with no_connections(site.bed.url):
            fired = prometheus.wait_until("MixhaulAPIErrorBudgetBurn", fires=True)
            assert {each["severity"] for each in fired} == {"critical"}
        prometheus.wait_until("MixhaulAPIErrorBudgetBurn", fires=False, seconds=180)


def test_api_latency_budget_and_an_exhausted_pool(site: Site) -> None:
    site.simulator()
    api = site.api(api_connections="1")
    prometheus = site.watch()
    assert site.key is not None
    token = api_server.token(site.key, "1")
    over = threading.Event()

    def hold() -> None:
        while not over.is_set():
            with psycopg.connect(site.bed.url) as connection:
                connection.execute("LOCK TABLE drivers, organisations IN ACCESS EXCLUSIVE MODE")
                over.wait(0.8)

    holder = threading.Thread(target=hold)
    with asking(api.url, token=token, callers=8):
        wait_for(lambda: prometheus.query("sum(mixhaul_api_requests_total) > 20"), what="requests", seconds=30)
        holder.start()
        try:
            prometheus.wait_until("MixhaulAPILatencyBudgetBurn", fires=True)
            prometheus.wait_until("MixhaulDatabasePoolExhausted", fires=True)
        finally:
            over.set()
            holder.join()
        prometheus.wait_until("MixhaulAPILatencyBudgetBurn", fires=False, seconds=180)
        prometheus.wait_until("MixhaulDatabasePoolExhausted", fires=False, seconds=180)


@pytest.mark.parametrize("factor", [1.0, 60.0])
def test_hastened_rules_are_the_same_rules(factor: float) -> None:
    text = "expr: rate(x[5m]) > 5 offset 2h\nfor: 10m"
    wanted = {
        1.0: "expr: rate(x[300s]) > 5 offset 7200s\nfor: 600s",
        60.0: "expr: rate(x[5s]) > 5 offset 120s\nfor: 10s",
    }
    assert hastened(text, factor=factor) == wanted[factor]
