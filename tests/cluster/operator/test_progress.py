"""What the database says, as conditions; requests; deletion. The rows are written as the workers write them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from cluster.operator.bed import CREDENTIALS, Bed, settled, until
from support.postgres import Server

API = "https://integrate.eu.mixtelematics.com"
IDENTITY = "https://identity.eu.mixtelematics.com/core"
FINALIZER = "mixhaul.io/delete-data"


def execute(bed: Bed, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(bed.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def haul(bed: Bed, *, source: str = "a", organisation: int = 101) -> None:
    """A source of which everything is well."""
    key = f"{bed.namespace}/{source}"
    ((number,),) = execute(
        bed,
        "INSERT INTO organisations (api_url, external_id, name, source) VALUES (%s, %s, 'Frota', %s) RETURNING id",
        API,
        organisation,
        key,
    )
    execute(
        bed,
        "INSERT INTO etl_control (organisation_id, feed, last_successful_sincetoken, token_received_at, has_more_items,"
        " last_poll_at, caught_up_at) VALUES (%s, 'events', '20261101000000000', now(), false, now(), now())",
        number,
    )
    execute(
        bed,
        "INSERT INTO sync_runs (source, organisation_id, reason, finished_at, result)"
        " VALUES (%s, %s, 'sync', now(), 'succeeded')",
        key,
        number,
    )


def request_of(bed: Bed, name: str = "a") -> dict[str, Any]:
    found: dict[str, Any] = bed.source(name).get("status", {}).get("lastRequest", {})
    return found


@pytest.mark.usefixtures("operator")
def test_ready_and_then_not(bed: Bed) -> None:
    bed.make_source("a")
    assert until(lambda: bed.condition("a", "Ready")[:2] == ("False", "NotReadyYet"))
    haul(bed)
    assert until(lambda: bed.condition("a", "Ready")[:2] == ("True", "AllWell"))
    status = bed.source("a")["status"]
    assert {each["status"] for each in status["conditions"] if each["type"] not in ("Stalled", "Reconciling")} == {
        "True"
    }
    assert status["stream"]["organisations"] == 1
    assert status["sync"]["lastSuccessTime"]
    assert until(lambda: bed.events("AllWell"))
    execute(
        bed,
        "UPDATE etl_control SET last_poll_at = now() - interval '2 hours', caught_up_at = now() - interval '2 hours'",
    )
    assert until(lambda: bed.condition("a", "Ready")[:2] == ("False", "Lagging"))
    assert "organisation 101 (Frota)" in bed.condition("a", "Fresh")[2].lower().replace("frota", "Frota")
    assert until(lambda: bed.events("Lagging"))


@pytest.mark.usefixtures("operator")
def test_a_refused_login_and_a_corrected_secret(bed: Bed) -> None:
    bed.make_source("a")
    haul(bed)
    assert until(lambda: bed.condition("a", "Ready")[0] == "True")
    execute(
        bed,
        "INSERT INTO api_credentials (identity_url, client_id, username, revision, refused_revision, refused_until,"
        " refused_error) VALUES (%s, %s, %s, 'r', 'r', now() + interval '1 hour', 'invalid_grant')",
        IDENTITY,
        CREDENTIALS["clientID"],
        CREDENTIALS["username"],
    )
    assert until(lambda: bed.condition("a", "CredentialsValid")[:2] == ("False", "LoginRefused"))
    assert bed.condition("a", "Ready")[1] == "LoginRefused"
    assert "invalid_grant" in bed.condition("a", "Ready")[2]
    # What the API server notes of a change has whole seconds.
    execute(bed, "UPDATE api_credentials SET refused_until = now() + interval '59 minutes 50 seconds'")
    bed.make_secret(values={**CREDENTIALS, "password": "corrected"})
    assert until(lambda: bed.condition("a", "CredentialsValid")[1] != "LoginRefused")


@pytest.mark.usefixtures("operator")
def test_an_organisation_of_two_sources(bed: Bed) -> None:
    haul(bed, source="first")
    haul(bed, source="second", organisation=102)
    bed.make_source("first")
    bed.make_source("second", organisationIDs=["101", "102"])
    assert until(lambda: bed.condition("second", "Synced")[:2] == ("False", "OrganisationClaimed"))
    message = bed.condition("second", "Synced")[2]
    assert f"{bed.namespace}/first" in message
    assert f"{bed.namespace}/second" in message
    assert until(lambda: bed.condition("first", "Ready")[0] == "True")
    assert bed.condition("second", "Fresh")[0] == "True"


def test_a_request_is_put_there_once_and_answered(bed: Bed) -> None:
    with bed.operator():
        bed.make_source("a")
        bed.annotate("a", request="backfill=2026-11-01/2026-11-03", request_id="r1")
        assert until(lambda: request_of(bed).get("state") == "Pending")
        ((kind, parameters),) = until(lambda: execute(bed, "SELECT kind, parameters FROM work_requests"))
        assert (kind, parameters["from"]) == ("backfill", "2026-11-01T00:00:00+00:00")
        execute(bed, "UPDATE work_requests SET state = 'running', started_at = now()")
        assert until(lambda: request_of(bed)["state"] == "Running")
    execute(bed, "UPDATE work_requests SET state = 'succeeded', finished_at = now(), message = '12 events'")
    with bed.operator():
        assert until(lambda: request_of(bed)["state"] == "Succeeded")
        assert request_of(bed)["message"] == "12 events"
        bed.annotate("a", request="sync", request_id="r2")
        assert until(lambda: request_of(bed)["id"] == "r2")
        assert until(lambda: execute(bed, "SELECT count(*) FROM work_requests") == [(2,)])
        bed.annotate("a", request="dance", request_id="r3")
        assert until(lambda: request_of(bed)["state"] == "Failed")
        assert "no request" in request_of(bed)["message"]
        assert execute(bed, "SELECT count(*) FROM work_requests") == [(2,)]


def test_an_answer_is_not_waited_for_until_the_next_regular_reading(bed: Bed) -> None:
    with bed.operator(progress_seconds="3600"):
        bed.make_source("a")
        bed.annotate("a", request="sync", request_id="r1")
        assert until(lambda: request_of(bed).get("state") == "Pending")
        assert until(lambda: execute(bed, "SELECT kind FROM work_requests"))
        execute(bed, "UPDATE work_requests SET state = 'running', started_at = now()")
        assert until(lambda: request_of(bed)["state"] == "Running", within=60)
        execute(bed, "UPDATE work_requests SET state = 'succeeded', finished_at = now()")
        assert until(lambda: request_of(bed)["state"] == "Succeeded", within=60)


@pytest.mark.usefixtures("operator")
def test_deleted_with_its_data(bed: Bed) -> None:
    uid = bed.make_source("a", deletionPolicy="Delete")["metadata"]["uid"]
    assert until(lambda: FINALIZER in bed.source("a")["metadata"].get("finalizers", []))
    bed.delete("mixsources", "a")
    ((source, request_id, kind),) = until(lambda: execute(bed, "SELECT source, request_id, kind FROM work_requests"))
    assert (source, request_id, kind) == (f"{bed.namespace}/a", f"delete:{uid}", "delete")
    assert until(lambda: bed.condition("a", "Reconciling")[:2] == ("True", "Deleting"))
    execute(bed, "UPDATE work_requests SET state = 'succeeded', finished_at = now()")
    assert until(lambda: bed.get("mixsources", "a") is None)
    assert until(lambda: bed.events("DataDeleted"))


@pytest.mark.usefixtures("operator")
def test_to_retain_and_back(bed: Bed) -> None:
    bed.make_source("a", deletionPolicy="Delete")
    assert until(lambda: FINALIZER in bed.source("a")["metadata"].get("finalizers", []))
    bed.plane.request("PATCH", bed.path("mixsources", "a"), {"metadata": {"finalizers": [FINALIZER, "others.io/own"]}})
    bed.change_source("a", deletionPolicy="Retain")
    assert until(lambda: bed.source("a")["metadata"]["finalizers"] == ["others.io/own"])
    bed.change_source("a", deletionPolicy="Delete")
    assert until(lambda: bed.source("a")["metadata"]["finalizers"] == ["others.io/own", FINALIZER])
    bed.delete("mixsources", "a")
    bed.change_source("a", deletionPolicy="Retain")
    assert until(lambda: bed.source("a")["metadata"]["finalizers"] == ["others.io/own"])
    bed.plane.request("PATCH", bed.path("mixsources", "a"), {"metadata": {"finalizers": None}})
    assert until(lambda: bed.get("mixsources", "a") is None)


def test_the_database_away(bed: Bed, postgres_server: Server) -> None:
    """Conditions say Unknown, CronJobs stay right, a deletion ends, and what was asked is asked when it is back."""
    name = bed.database_url.rpartition("/")[2]
    with bed.operator(database_patience_seconds="2", deletion_patience_seconds="8") as operator:
        bed.make_source("a")
        bed.make_source("gone", deletionPolicy="Delete")
        haul(bed)
        assert until(lambda: bed.condition("a", "Ready")[0] == "True")
        assert until(lambda: FINALIZER in bed.source("gone")["metadata"].get("finalizers", []))
        postgres_server.execute(
            f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        assert until(lambda: bed.condition("a", "Ready")[:2] == ("Unknown", "DatabaseUnavailable"), within=60)
        assert bed.condition("a", "CaughtUp")[:2] == ("Unknown", "DatabaseUnavailable")
        bed.delete("cronjobs", "mixhaul-sync-a")
        assert until(lambda: bed.get("cronjobs", "mixhaul-sync-a"))
        bed.annotate("a", request="sync", request_id="r1")
        assert until(lambda: "waits for the database" in request_of(bed).get("message", ""))
        bed.delete("mixsources", "gone")
        assert until(lambda: bed.get("mixsources", "gone") is None, within=60)
        (event,) = until(lambda: bed.events("DataNotDeleted"))
        assert event["type"] == "Warning"
        assert operator.get("/livez")[0] == 200
        postgres_server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        assert until(lambda: bed.condition("a", "Ready")[0] == "True", within=60)
        asked = until(lambda: sorted(execute(bed, "SELECT kind FROM work_requests")) == [("delete",), ("sync",)])
        assert asked
        assert until(lambda: settled(bed, "a"))
