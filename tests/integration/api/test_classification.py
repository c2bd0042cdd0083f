"""People decide which types count as infractions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from support import api_data
from support.api_data import DRIVER, MARK_A, ORGANISATION_A, ORGANISATION_B, SPEEDING
from support.api_server import running, token
from support.postgres import Server

PATH = f"/api/event-types/{SPEEDING}"


@pytest.fixture(autouse=True)
def _untouched(fleet: Any) -> Iterator[None]:
    yield
    fleet.execute(
        "UPDATE event_types SET is_infraction = true, family = 'driving infraction', classification_origin = 'default',"
        " classified_by = NULL, classified_at = NULL WHERE external_id = %s",
        SPEEDING,
    )


def test_a_decision_is_recorded_with_its_author_and_seen_at_once(client: Any, fleet: Any) -> None:
    admin = client(ORGANISATION_A, role="admin", subject="maria@fleet.example")
    watermark = fleet.execute("SELECT watermark FROM organisations ORDER BY id")
    assert len(admin.get(f"/api/drivers/{DRIVER}/infractions").json()["items"]) == 50
    answer = admin.patch(PATH, json={"isInfraction": False}, headers={"X-Request-ID": "decision-1"}).json()
    assert answer["isInfraction"] is False
    assert answer["family"] == "driving infraction"
    assert (answer["classified"]["origin"], answer["classified"]["by"]) == ("person", "maria@fleet.example")
    assert admin.get(f"/api/drivers/{DRIVER}/infractions").json()["items"] == []
    moved = fleet.execute("SELECT watermark FROM organisations ORDER BY id")
    assert [now - before for (now,), (before,) in zip(moved, watermark, strict=True)] == [1, 0, 0, 0]
    assert fleet.execute(
        "SELECT organisation_id, actor, action, subject, details FROM audit_log WHERE request_id = 'decision-1'"
    ) == [
        (
            fleet.organisations["a"],
            "maria@fleet.example",
            "event-type.classified",
            str(SPEEDING),
            {
                "from": {"isInfraction": True, "family": "driving infraction", "severity": "none", "origin": "default"},
                "to": {"isInfraction": False, "family": "driving infraction", "severity": "none", "origin": "person"},
            },
        )
    ]
    others = fleet.execute("SELECT is_infraction FROM event_types WHERE external_id = %s ORDER BY 1", SPEEDING)
    assert others == [(False,), (True,), (True,)]


@pytest.mark.parametrize(
    ("body", "family"),
    [
        ({"isInfraction": True}, "driving infraction"),
        ({"isInfraction": True, "family": None}, None),
        ({"isInfraction": True, "family": "segurança"}, "segurança"),
    ],
    ids=str,
)
def test_the_family_stays_unless_it_is_sent(client: Any, body: dict[str, Any], family: str | None) -> None:
    assert client(ORGANISATION_A, role="admin").patch(PATH, json=body).json()["family"] == family


def test_a_type_in_two_organisations_needs_the_organisation(client: Any) -> None:
    both = client(ORGANISATION_A, ORGANISATION_B, role="admin")
    assert both.patch(PATH, json={"isInfraction": False}).status_code == 409
    answer = both.patch(PATH, json={"isInfraction": False}, params={"organisationId": ORGANISATION_A})
    assert answer.json()["description"].startswith(MARK_A)


def test_a_decision_waits_for_the_organisations_writer(client: Any, fleet: Any) -> None:
    """A sync that holds the lock commits first, and what it wrote is not lost."""
    admin = client(ORGANISATION_A, role="admin")
    answers: list[httpx.Response] = []
    with psycopg.connect(fleet.url) as writer:
        writer.execute("SELECT FROM organisations WHERE id = %s FOR UPDATE", (fleet.organisations["a"],))
        thread = threading.Thread(target=lambda: answers.append(admin.patch(PATH, json={"isInfraction": False})))
        thread.start()
        while not fleet.execute(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ):
            pass
        writer.execute(
            "UPDATE event_types SET family = 'of the sync' WHERE organisation_id = %s AND external_id = %s",
            (fleet.organisations["a"], SPEEDING),
        )
    thread.join(20)
    assert answers[0].json()["family"] == "of the sync"


def test_the_role_of_the_api_suffices_and_may_do_nothing_else(postgres_server: Server, key_file: Any) -> None:
    postgres_server.execute(
        "DROP ROLE IF EXISTS mixhaul_api", "CREATE ROLE mixhaul_api LOGIN PASSWORD 'planted-api-password'"
    )
    try:
        with postgres_server.database(migrated=False) as url:
            from mixhaul_store.schema import migrate

            migrate(url)
            with psycopg.connect(url) as connection:
                api_data.plant(connection)
            role_url = postgres_server.url_of(
                url.rpartition("/")[2], user="mixhaul_api", password="planted-api-password"
            )
            with running(database_url=role_url, jwt_key_file=str(key_file)) as api:
                headers = {"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A), role='admin')}"}
                for path in ("drivers", f"drivers/{DRIVER}", f"drivers/{DRIVER}/infractions", "event-types", "status"):
                    httpx.get(f"{api.url}/api/{path}", headers=headers).raise_for_status()
                httpx.patch(f"{api.url}{PATH}", json={"isInfraction": False}, headers=headers).raise_for_status()
                assert not [line for line in api.lines if "planted-api-password" in line]
            with psycopg.connect(role_url, autocommit=True) as connection:
                for statement in (
                    "UPDATE organisations SET name = 'x'",
                    "DELETE FROM audit_log",
                    "UPDATE audit_log SET actor = 'x'",
                    "SELECT FROM api_credentials",
                    "DELETE FROM telemetry_events",
                    "UPDATE event_types SET description = 'x'",
                ):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(statement.encode())
    finally:
        postgres_server.execute("DROP ROLE IF EXISTS mixhaul_api")
