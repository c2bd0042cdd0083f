"""A small fleet for the API's tests: organisations whose rows carry their own marks, so that a leak is visible.

`plant` writes with plain SQL and shares no code with the store's writers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.types.json import Jsonb
from zstandard import ZstdCompressor

from support.postgres import Server

API_URL: Final = "https://integrate.example"
OTHER_API_URL: Final = "https://integrate.uat.example:8443"

# MiX ids: beyond 2^53, one of them negative.
ORGANISATION_A: Final = 6243816725049817314
ORGANISATION_B: Final = -8143816725049817315
ORGANISATION_EMPTY: Final = 42
MARK_A: Final = "mark-of-a"
MARK_B: Final = "mark-of-b"

DRIVER: Final = -5126071423112345678  # in A
DRIVER_OF_B: Final = 5126071423112345679
DRIVER_OF_BOTH: Final = 7000000000000000001
DRIVER_WITHOUT_ROW: Final = 7000000000000000002  # has events in A, and no row of `drivers`
SPEEDING: Final = -2310984471203981145
BRAKING: Final = 3310984471203981146
IGNITION: Final = 4310984471203981147
TYPE_OF_B: Final = 5310984471203981148
VEHICLE: Final = 1120394857610293847
SITE: Final = 4510918273645546372

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIRST_EVENT: Final = 9000000000000000000


@dataclass(frozen=True, slots=True)
class Fleet:
    """The planted database."""

    url: str
    organisations: dict[str, int]

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """One statement, committed."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def planted(server: Server) -> Iterator[Fleet]:
    """A database of one's own, planted."""
    with server.database() as url:
        with psycopg.connect(url) as connection:
            organisations = plant(connection)
        yield Fleet(url, organisations)


def plant(connection: Connection[Any]) -> dict[str, int]:
    """Fill an empty database; returns the surrogate ids of its organisations."""
    found = {
        "a": organisation(connection, API_URL, ORGANISATION_A, f"{MARK_A} Transportes", "America/Sao_Paulo"),
        "b": organisation(connection, API_URL, ORGANISATION_B, f"{MARK_B} Logística", None),
        "a_of_uat": organisation(connection, OTHER_API_URL, ORGANISATION_A, f"{MARK_B} uat", "E. South America"),
        "empty": organisation(connection, API_URL, ORGANISATION_EMPTY, "Vazia", "Nowhere/Land"),
    }
    _support(connection, found["a"], MARK_A, drivers={DRIVER: "João da Silva", DRIVER_OF_BOTH: "Ana Ambígua"})
    _support(
        connection,
        found["b"],
        MARK_B,
        drivers={DRIVER_OF_B: "José Beltrão", DRIVER_OF_BOTH: f"{MARK_B} Ana"},
        site=False,
    )
    _support(connection, found["a_of_uat"], MARK_B, drivers={DRIVER: f"{MARK_B} João"}, site=False)
    _names(connection, found["a"])
    for name, mark, driver in (("a", MARK_A, DRIVER), ("b", MARK_B, DRIVER_OF_B), ("a_of_uat", MARK_B, DRIVER)):
        for number in range(60):
            event(connection, found[name], FIRST_EVENT + number, driver, NOW - timedelta(days=number), mark=mark)
    event(connection, found["a"], FIRST_EVENT + 500, DRIVER_WITHOUT_ROW, NOW, mark=MARK_A)
    event(connection, found["a"], FIRST_EVENT + 501, DRIVER_OF_BOTH, NOW, mark=MARK_A)
    event(connection, found["b"], FIRST_EVENT + 501, DRIVER_OF_BOTH, NOW, mark=MARK_B)
    event(connection, found["a"], FIRST_EVENT + 502, DRIVER, NOW, mark=MARK_A, event_type=IGNITION)
    # The answer that A's newest event came with; those of all others are gone.
    record = f'{{"EventId": {FIRST_EVENT}, "DriverId": {DRIVER}, "Text": "{MARK_A}"}}'
    connection.execute(
        "INSERT INTO raw_pages (id, organisation_id, feed, observed_at, records, body_bytes, body)"
        " OVERRIDING SYSTEM VALUE VALUES (1, %s, 'events', %s, 1, %s, %s)",
        (found["a"], NOW, len(record) + 2, ZstdCompressor().compress(f"[{record}]".encode())),
    )
    _progress(connection, found["a"], token="20261124115500123", caught_up=True)
    _progress(connection, found["b"], token="20261124115500124", caught_up=False)
    connection.execute(
        "INSERT INTO gaps (organisation_id, feed, from_time, to_time, cause) VALUES (%s, 'events', %s, %s, %s)",
        (found["b"], NOW - timedelta(days=9), NOW - timedelta(days=8), MARK_B),
    )
    connection.commit()
    return found


def organisation(connection: Connection[Any], api_url: str, external_id: int, name: str, zone: str | None) -> int:
    """Add an organisation."""
    row = connection.execute(
        "INSERT INTO organisations (api_url, external_id, name, time_zone, source)"
        " VALUES (%s, %s, %s, %s, 'fleet/mix') RETURNING id",
        (api_url, external_id, name, zone),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _support(
    connection: Connection[Any], organisation_id: int, mark: str, *, drivers: dict[int, str], site: bool = True
) -> None:
    for external_id, name in drivers.items():
        driver(connection, organisation_id, external_id, name, mark=mark)
    if site:
        connection.execute(
            "INSERT INTO sites (organisation_id, external_id, name) VALUES (%s, %s, %s)",
            (organisation_id, SITE, f"{mark} Campinas"),
        )
    connection.execute(
        "INSERT INTO vehicles (organisation_id, external_id, description, registration_number, fleet_number)"
        " VALUES (%s, %s, %s, 'ABC1D23', '12')",
        (organisation_id, VEHICLE, f"{mark} Caminhão"),
    )
    for external_id, description, is_infraction in (
        (SPEEDING, "(Tr) Excesso de Velocidade 70 Km", True),
        (BRAKING, "(Tr) Freada Brusca", True),
        (IGNITION, "Ignition On", False),
        (TYPE_OF_B, f"{mark} Único", True),
    ):
        if mark == MARK_B or external_id != TYPE_OF_B:
            event_type(connection, organisation_id, external_id, f"{mark} {description}", is_infraction=is_infraction)
    connection.execute(
        "INSERT INTO sync_runs (source, organisation_id, reason, started_at, finished_at, result)"
        " VALUES ('fleet/mix', %s, 'schedule', %s, %s, 'succeeded')",
        (organisation_id, NOW - timedelta(hours=7), NOW - timedelta(hours=6, minutes=59)),
    )


def driver(
    connection: Connection[Any],
    organisation_id: int,
    external_id: int,
    name: str | None,
    *,
    mark: str = MARK_A,
    removed: bool = False,
) -> None:
    """Add a driver with marked personal data."""
    connection.execute(
        "INSERT INTO drivers (organisation_id, external_id, name, employee_number, site_external_id, mobile_number,"
        " email, is_system_driver, extended_driver_id, country, image_uri, removed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, false, %s, 'BR', %s, %s)",
        (
            *(organisation_id, external_id, name, f"{mark}-personal-number", SITE, f"{mark}-personal-phone"),
            *(f"{mark}-personal@mail.example", f"{mark}-personal-tag", f"https://images.example/{mark}-personal"),
            NOW if removed else None,
        ),
    )


def _names(connection: Connection[Any], organisation_id: int) -> None:
    """Names to search among."""
    names = (
        "Silvana Prado",
        "Maria Silva",
        "Antônio Vasilva",
        "SILVA, Pedro",
        "Zé %_\\ Especial",
        "Çağla Ünal",
        "Straße Groß",
        None,
        None,
    )
    for number, name in enumerate(names):
        driver(connection, organisation_id, 8000 + number, name)
    driver(connection, organisation_id, 8100, "Silva Removido", removed=True)
    for number in range(30):
        driver(connection, organisation_id, 8200 + number, f"Motorista {number % 10:02}")


def event_type(
    connection: Connection[Any], organisation_id: int, external_id: int, description: str, *, is_infraction: bool
) -> None:
    """Add an event type."""
    connection.execute(
        "INSERT INTO event_types (organisation_id, external_id, description, event_type, display_units, value_name,"
        " family, is_infraction) VALUES (%s, %s, %s, 'Detail', 'km/h', 'Speed', %s, %s)",
        (organisation_id, external_id, description, "driving infraction" if is_infraction else None, is_infraction),
    )


def event(
    connection: Connection[Any],
    organisation_id: int,
    external_id: int,
    driver_id: int,
    occurred_at: datetime,
    *,
    mark: str = MARK_A,
    event_type: int = SPEEDING,
    values: dict[str, Any] | None = None,
) -> None:
    """Add an event."""
    row = {
        "organisation_id": organisation_id,
        "external_id": external_id,
        "occurred_at": occurred_at,
        "observed_at": occurred_at,
        "raw_page_id": 1,
        "driver_external_id": driver_id,
        "reported_driver_external_id": driver_id,
        "vehicle_external_id": VEHICLE,
        "event_type_external_id": event_type,
        "started_at": occurred_at,
        "ended_at": occurred_at + timedelta(seconds=42),
        "value": 83.5,
        "value_type": "Maximum",
        "value_units": "km/h",
        "total_time_seconds": 42,
        "total_occurrences": 1,
        "speed_limit": 70,
        "start_speed_kmh": 71,
        "start_latitude": -22.9056,
        "start_longitude": -47.0608,
        "start_address": f"{mark} Rod. Anhanguera",
        "extra": Jsonb({"mark": mark}),
    } | (values or {})
    columns = ", ".join(row)
    marks = ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO telemetry_events ({columns}) VALUES ({marks})".encode(), list(row.values()))


def _progress(connection: Connection[Any], organisation_id: int, *, token: str, caught_up: bool) -> None:
    connection.execute(
        "INSERT INTO etl_control (organisation_id, feed, last_successful_sincetoken, token_received_at, has_more_items,"
        " last_poll_at, last_data_at, caught_up_at, last_error) VALUES (%s, 'events', %s, %s, %s, %s, %s, %s, %s)",
        (
            *(organisation_id, token, NOW, not caught_up, NOW, NOW - timedelta(minutes=1)),
            *(NOW if caught_up else None, "an error of the past"),
        ),
    )
