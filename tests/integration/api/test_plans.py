"""How PostgreSQL answers: by the index, page by page, without sorting what is not shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from mixhaul_api.periods import Period
from mixhaul_api.queries import infractions
from mixhaul_api.queries.infractions import Filters, Place
from support import api_data
from support.api_data import BRAKING, IGNITION, NOW, SPEEDING
from support.postgres import Server

DRIVERS = 5
EVENTS = 24000


@pytest.fixture(scope="module")
def grown(postgres_server: Server) -> Iterator[str]:
    """Some thousands of events over a year, half of them of no infraction."""
    with postgres_server.database() as url:
        fill(url)
        yield url


def fill(url: str) -> None:
    """By SQL, which is fast."""
    with psycopg.connect(url) as connection:
        organisation = api_data.organisation(connection, api_data.API_URL, 1, "A", None)
        for number, is_infraction in ((SPEEDING, True), (BRAKING, True), (IGNITION, False)):
            api_data.event_type(connection, organisation, number, str(number), is_infraction=is_infraction)
        connection.execute(
            "INSERT INTO telemetry_events (organisation_id, external_id, occurred_at, observed_at, raw_page_id,"
            " driver_external_id, reported_driver_external_id, vehicle_external_id, event_type_external_id)"
            " SELECT %s, n, %s::timestamptz - n * interval '21 minutes', now(), 1, n %% %s, n %% %s, 1,"
            " (ARRAY[%s, %s, %s, %s])[1 + n / 7 %% 4]::bigint FROM generate_series(1, %s) n",
            (organisation, NOW, DRIVERS, DRIVERS, SPEEDING, IGNITION, IGNITION, BRAKING, EVENTS),
        )
        connection.execute(
            "INSERT INTO drivers (organisation_id, external_id, name)"
            " SELECT %s, n, 'Motorista ' || n || ' da Silva' FROM generate_series(1, 5000) n",
            (organisation,),
        )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def plan_of(connection: psycopg.Connection[Any], statement: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
    """Every node of the plan as it was executed."""
    row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), parameters).fetchone()
    assert row is not None
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    found, left = [], [plan[0]["Plan"]]
    while left:
        node = left.pop()
        found.append(node)
        left += node.get("Plans", [])
    return found


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(
    ("period", "types", "before", "partitions"),
    [
        (Period(None, None), (), None, None),
        (Period(NOW - timedelta(days=20), NOW), (), None, 3),
        (Period(NOW - timedelta(days=200), None), (SPEEDING,), Place(NOW - timedelta(days=100), 5), 6),
        (Period(None, datetime(2026, 6, 1, tzinfo=UTC)), (), Place(NOW - timedelta(days=250), 5), None),
    ],
    ids=["all", "short", "going on", "open"],
)
def test_a_page_of_infractions_reads_the_index_and_sorts_nothing_whole(
    grown: str, mode: str, period: Period, types: tuple[int, ...], before: Place | None, partitions: int | None
) -> None:
    filters = Filters(period=period, driver_id=3, types=types)
    statement = infractions.statement(filters, several=False, before=before)
    given = infractions.arguments([1], filters, before=before, limit=11)
    with psycopg.connect(grown) as connection:
        connection.execute(f"SET plan_cache_mode = {mode}".encode())
        nodes = plan_of(connection, statement, given)
    scans = [node for node in nodes if node.get("Relation Name", "").startswith("telemetry_events")]
    ran = [node for node in scans if node["Actual Loops"]]
    assert ran
    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}
    assert all("driver_external_id" in node["Index Cond"] for node in scans)
    assert not [node for node in nodes if node["Node Type"] in ("Sort", "Incremental Sort")]
    if partitions is not None:
        assert len(ran) <= partitions


@pytest.mark.parametrize("limit", [11, 201])
def test_the_pages_of_a_large_list_hold_each_row_once_and_in_order(grown: str, limit: int) -> None:
    with psycopg.connect(grown) as connection:
        wanted = [
            row[0]
            for row in connection.execute(
                "SELECT e.external_id FROM telemetry_events e"
                " JOIN event_types t ON t.external_id = event_type_external_id"
                " WHERE driver_external_id = 3 AND is_infraction ORDER BY occurred_at DESC, e.external_id DESC"
            )
        ]
        found: list[int] = []
        before: Place | None = None
        filters = Filters(driver_id=3)
        while True:
            given = infractions.arguments([1], filters, before=before, limit=limit)
            rows = connection.execute(
                infractions.statement(filters, several=False, before=before).encode(), given
            ).fetchall()
            found += [row[0] for row in rows[: limit - 1]]
            if len(rows) < limit:
                break
            before = Place(rows[-2][1], rows[-2][0])
    assert found == wanted
    assert len(wanted) > 100


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(
    ("filters", "several", "condition"),
    [
        (Filters(), False, "(organisation_id + 0)"),
        (Filters(), True, "(organisation_id + 0)"),
        (Filters(vehicle_id=1), True, "(vehicle_external_id ="),
    ],
    ids=["organisation", "organisations", "vehicle"],
)
def test_a_page_of_the_fleets_infractions_reads_no_further_than_it_shows(
    grown: str, mode: str, filters: Filters, several: bool, condition: str
) -> None:
    with psycopg.connect(grown) as connection:
        connection.execute(f"SET plan_cache_mode = {mode}".encode())
        nodes = plan_of(
            connection,
            infractions.statement(filters, several=several, before=None),
            infractions.arguments([1], filters, before=None, limit=11),
        )
    scans = [node for node in nodes if node.get("Relation Name", "").startswith("telemetry_events")]
    ran = [node for node in scans if node["Actual Loops"]]
    assert sum(node["Actual Rows"] for node in ran) < 60
    assert all(condition in node["Index Cond"] for node in ran)
