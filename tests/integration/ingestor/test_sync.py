"""`sync` as a process: what it leaves behind for those who watch, and what a short list and a second source do.

One bed for all of it, one thing after the other: a bed costs more than what is tested on it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry

from faults.bed import Bed
from mixhaul_operator.metrics import SourceCollector
from mixhaul_store import observation, totals
from mixhaul_store.database import Database
from mixhaul_store.totals import Total

SMALL = ("--drivers", "20", "--vehicles", "8", "--organisations", "2", "--event-types", "20", "--history-days", "0.1")
FAST = ("--requests-per-minute", "600", "--pause-seconds", "1")


def rows(bed: Bed, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(bed.url) as connection:
        return connection.execute(query.encode()).fetchall()


async def read_totals(bed: Bed) -> list[Total]:
    async with Database(bed.url, application_name="mixhaul:test") as database:
        return await totals.read(database)


def sync(bed: Bed, *more: str) -> int:
    return bed.run("sync", "--manifest", str(bed.simulator.manifest), *more).returncode


def test_a_sync_and_those_who_watch(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST, "--events-per-minute", "0")
    what_a_sync_did_is_exported_by_the_operator(bed)
    a_short_list_is_believed_the_second_time(bed)
    an_organisation_that_another_source_has_is_written_down(bed)


def what_a_sync_did_is_exported_by_the_operator(bed: Bed) -> None:
    bed.simulator.call("POST", "/control/faults", {"kind": "status-503", "count": 1, "route": "drivers"})
    assert sync(bed) == 0
    found = asyncio.run(read_totals(bed))
    key = rows(bed, "SELECT DISTINCT source FROM sync_runs")[0][0]
    namespace, _, name = key.partition("/")
    registry = CollectorRegistry()
    source = {"metadata": {"namespace": namespace, "name": name}, "spec": {}}
    registry.register(SourceCollector(sources=lambda: [source], totals=lambda: found, now=lambda: datetime.now(UTC)))

    def value(metric: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"mixhaul_{metric}", labels)

    assert value("sync_runs_total", source=key, result="succeeded") == 2  # one an organisation
    assert value("sync_runs_total", source=key, result="failed") == 0
    assert value("upstream_retries_total", endpoint="drivers", reason="ServerError") == 1
    assert value("token_refreshes_total", grant="password", result="succeeded") == 1
    routes = {
        "token": "token",
        "organisationgroups": "organisations",
        "drivers": "drivers",
        "assets": "vehicles",
        "libraryevents": "event_types",
        "subgroups": "sites",
    }
    seen = Counter((routes[call["route"]], str(call["status"])) for call in bed.records()["calls"])
    assert {pair: value("upstream_requests_total", endpoint=pair[0], code=pair[1]) for pair in seen} == dict(seen)
    assert seen["drivers", "503"] == 1


def a_short_list_is_believed_the_second_time(bed: Bed) -> None:
    there = "SELECT count(*) FROM drivers WHERE removed_at IS NULL"
    before = rows(bed, there)
    bed.simulator.call("POST", "/control/faults", {"kind": "empty-support-list", "count": 2, "route": "drivers"})
    assert sync(bed) == 0
    assert rows(bed, there) == before
    last = "SELECT short_lists FROM sync_runs ORDER BY id DESC LIMIT 2"
    assert sorted(text.partition(" of ")[0] for (lists,) in rows(bed, last) for text in lists) == ["drivers: 0"] * 2
    short = [one.value for one in asyncio.run(read_totals(bed)) if one.metric == "sync_short_lists_total"]
    assert short == [2.0]
    bed.simulator.call("POST", "/control/faults", {"kind": "empty-support-list", "count": 2, "route": "drivers"})
    assert sync(bed) == 0
    assert (rows(bed, there), rows(bed, last)) == ([(0,)], [([],), ([],)])


def an_organisation_that_another_source_has_is_written_down(bed: Bed) -> None:
    (first,) = rows(bed, "SELECT DISTINCT source FROM organisations")[0]
    with psycopg.connect(bed.url) as connection:
        connection.execute(
            "UPDATE organisations SET source = 'fleet/other' WHERE id = (SELECT min(id) FROM organisations)"
        )
        (other,) = connection.execute("SELECT external_id FROM organisations WHERE source = 'fleet/other'").fetchone()  # type: ignore[misc]
    assert sync(bed) != 0

    async def conflicts() -> list[observation.Conflict]:
        async with Database(bed.url, application_name="mixhaul:test") as database:
            return await observation.read_conflicts(database)

    met = asyncio.run(conflicts())
    assert [(one.source, one.organisation, one.owner) for one in met] == [(first, other, "fleet/other")]
    with psycopg.connect(bed.url) as connection:
        connection.execute("UPDATE organisations SET source = %s", (first,))
    assert sync(bed) == 0
    assert rows(bed, "SELECT count(*) FROM organisation_conflicts") == [(0,)]
