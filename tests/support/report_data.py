"""Three drivers for the performance report of March 2026: one without infractions, an ordinary one, one with 400.

`plant` writes with plain SQL; what the report must say is counted by hand in the tests.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from psycopg import Connection

from support import api_data

ZONE: Final = ZoneInfo("America/Sao_Paulo")
MONTH: Final = "2026-03"
MARCH: Final = datetime(2026, 3, 1, tzinfo=ZONE)
APRIL: Final = datetime(2026, 4, 1, tzinfo=ZONE)
AS_OF: Final = datetime(2026, 4, 2, 11, 58, tzinfo=UTC)

ORGANISATION: Final = 6243816725049817314
SITE: Final = 4510918273645546372
NONE: Final = -3001
ORDINARY: Final = -5126071423112345678
BAD: Final = 3002
PARKED: Final = 3003  # has no event at all
MIDDLING: Final = 3004  # of the same site, 20 infractions
ELSEWHERE: Final = 3005  # of no site
UNLISTED: Final = 3006  # has events, and no row of drivers

SPEEDING: Final = -2310984471203981145
BRAKING: Final = 3310984471203981146
CORNERING: Final = 3310984471203981147
IGNITION: Final = 4310984471203981147
TYPES: Final = {
    SPEEDING: "(Tr) Excesso de Velocidade 70 Km",
    BRAKING: "(Tr) Freada Brusca",
    CORNERING: "(Tr) Curva Brusca",
    **{5000 + number: f"(Tr) Condução fora da faixa verde {number}" for number in range(9)},
}
PLACES: Final = (
    "Rod. Anhanguera km 98, Campinas, SP",
    "Av. Brasil 1200, Jardim América, São Paulo, SP",
    None,
)


class Planter:
    """Adds events with ids of their own."""

    def __init__(self, connection: Connection[Any], organisation_id: int) -> None:
        self._connection = connection
        self._organisation_id = organisation_id
        self._next = 9_000_000_000_000_000_000

    def event(self, driver: int | None, at: datetime, event_type: int, seconds: int | None = 42, **values: Any) -> None:
        self._next += 1
        ended = {"ended_at": None} if seconds is None else {}
        api_data.event(
            self._connection,
            self._organisation_id,
            self._next,
            driver,  # type: ignore[arg-type]
            at,
            event_type=event_type,
            values={"total_time_seconds": seconds, "start_address": PLACES[self._next % 3], **ended, **values},
        )


def plant(connection: Connection[Any]) -> int:
    """Fill an empty database; returns the organisation's surrogate id."""
    organisation_id = api_data.organisation(
        connection, api_data.API_URL, ORGANISATION, "Expresso Litoral", "America/Sao_Paulo"
    )
    connection.execute("UPDATE organisations SET claimed_at = '2025-06-01T00:00:00Z'")
    connection.execute(
        "INSERT INTO sites (organisation_id, external_id, name) VALUES (%s, %s, 'Filial Campinas')",
        (organisation_id, SITE),
    )
    connection.execute(
        "INSERT INTO vehicles (organisation_id, external_id, description, registration_number)"
        " VALUES (%s, %s, 'Caminhão 12', 'ABC1D23')",
        (organisation_id, api_data.VEHICLE),
    )
    names = {
        NONE: "Ana Paula Nogueira",
        ORDINARY: "João Antônio da Silva Pereira",
        BAD: 'Zeferino </style> "Bravo" d\'Ávila',
        PARKED: "Pedro Parado",
        MIDDLING: "Maria Média",
        ELSEWHERE: "Otto Outro",
    }
    for driver, name in names.items():
        api_data.driver(connection, organisation_id, driver, name, mark=f"m{driver}")
    connection.execute("UPDATE drivers SET site_external_id = %s", (SITE,))
    connection.execute("UPDATE drivers SET employee_number = (20417 + external_id % 1000)::text")
    connection.execute("UPDATE drivers SET site_external_id = NULL WHERE external_id = %s", (ELSEWHERE,))
    for number, description in TYPES.items():
        api_data.event_type(connection, organisation_id, number, description, is_infraction=True)
    api_data.event_type(connection, organisation_id, IGNITION, "Ignition On", is_infraction=False)
    reach(connection, organisation_id, AS_OF)
    _events(Planter(connection, organisation_id))
    connection.commit()
    return organisation_id


def reach(connection: Connection[Any], organisation_id: int, moment: datetime) -> None:
    """Let the feed have come so far."""
    connection.execute(
        "INSERT INTO etl_control (organisation_id, feed, last_successful_sincetoken, token_received_at, has_more_items,"
        " last_poll_at, last_data_at, caught_up_at) VALUES (%s, 'events', %s, %s, false, %s, %s, %s)"
        " ON CONFLICT (organisation_id, feed) DO UPDATE SET caught_up_at = excluded.caught_up_at,"
        " token_received_at = excluded.token_received_at",
        (organisation_id, f"{moment:%Y%m%d%H%M%S}000", moment, moment, moment, moment),
    )


def _events(planter: Planter) -> None:
    for driver in (NONE, ORDINARY, BAD, MIDDLING, ELSEWHERE):
        planter.event(driver, MARCH + timedelta(days=3), IGNITION)
    # January: 5; February: 6; March: 9 in four of its six weeks, at both ends of the month and of a week.
    for number in range(5):
        planter.event(ORDINARY, datetime(2026, 1, 3 + 5 * number, 9, tzinfo=ZONE), SPEEDING, 30)
    for number in range(6):
        planter.event(ORDINARY, datetime(2026, 2, 2 + 4 * number, 9, tzinfo=ZONE), SPEEDING if number % 2 else BRAKING)
    second = timedelta(seconds=1)
    planter.event(ORDINARY, MARCH, SPEEDING, 61)  # W09, the only day of it in March
    planter.event(ORDINARY, MARCH + timedelta(days=1), SPEEDING, 100)  # W10, its first moment
    planter.event(ORDINARY, MARCH + timedelta(days=8) - second, BRAKING, None)  # W10, its last second; no length
    for hour in range(5):
        planter.event(ORDINARY, MARCH + timedelta(days=17, hours=7 + hour), SPEEDING, 200)  # W12
    planter.event(ORDINARY, APRIL - second, CORNERING, 9)  # W14, the last second of the month
    planter.event(ORDINARY, APRIL, SPEEDING, 7)  # April
    planter.event(ORDINARY, MARCH - timedelta(days=60), SPEEDING, 7)  # December
    # Amended: of Bad's events one counts for nobody now, and one came to Middling.
    planter.event(None, MARCH + timedelta(days=2), SPEEDING, reported_driver_external_id=BAD)
    planter.event(MIDDLING, MARCH + timedelta(days=2), SPEEDING, reported_driver_external_id=BAD)
    for number in range(19):
        planter.event(MIDDLING, MARCH + timedelta(days=1 + number, hours=10), BRAKING)
    for number in range(400):
        at = MARCH + timedelta(minutes=5 + 111 * number)
        planter.event(BAD, at, list(TYPES)[number % len(TYPES)], 20 + number % 50, value=70.5 + number % 40)
    for number in range(1300):
        if number % 13 == 0:
            planter.event(BAD, datetime(2026, 2, 1, 3, tzinfo=ZONE) + timedelta(minutes=30 * number), SPEEDING, 3599)
    for number in range(3):
        planter.event(UNLISTED, MARCH + timedelta(days=5, hours=number), SPEEDING)
