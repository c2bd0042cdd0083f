"""How rows are shown: speed, duration, organisations' names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mixhaul_api.directory import named
from mixhaul_api.infraction_rows import duration, infraction, speed
from mixhaul_api.periods import UTC_ZONE
from mixhaul_api.queries.infractions import InfractionRow
from mixhaul_api.queries.organisations import OrganisationRow

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def row(**values: Any) -> InfractionRow:
    """An event of which nothing more is known than it must be."""
    empty = dict.fromkeys(InfractionRow._fields)
    return InfractionRow(**empty | {"external_id": 1, "occurred_at": NOON, "type_id": 2, "amended": False} | values)


@pytest.mark.parametrize(
    ("values", "kmh", "over"),
    [
        ({}, None, None),
        ({"start_speed_kmh": 71.0}, 71.0, None),
        ({"start_speed_kmh": 71.0, "speed_limit": 70.0}, 71.0, 1.0),
        ({"start_speed_kmh": 60.0, "speed_limit": 70.0}, 60.0, 0.0),
        ({"value": 90.0, "value_units": "km/h", "value_type": "Maximum", "speed_limit": 70.0}, 90.0, 20.0),
        ({"value": 90.0, "value_units": " KM/H ", "start_speed_kmh": 95.0}, 95.0, None),
        ({"value": 10.0, "value_units": "km/h", "value_type": "Minimum", "start_speed_kmh": 95.0}, 95.0, None),
        ({"value": 4000.0, "value_units": "rpm", "start_speed_kmh": 50.0, "speed_limit": 40.0}, 50.0, 10.0),
        ({"value": 90.0, "value_units": None}, None, None),
        ({"speed_limit": 70.0}, None, None),
    ],
    ids=str,
)
def test_speed_against_limit(values: dict[str, Any], kmh: float | None, over: float | None) -> None:
    found = speed(row(**values))
    assert (found["kmh"], found["overByKmh"]) == (kmh, over)


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({}, None),
        ({"total_time_seconds": 0}, 0),
        ({"total_time_seconds": 42, "started_at": NOON, "ended_at": NOON}, 42),
        ({"started_at": NOON, "ended_at": NOON + timedelta(seconds=1.5)}, 1.5),
        ({"started_at": NOON, "ended_at": NOON - timedelta(seconds=1)}, None),
        ({"total_time_seconds": -1}, None),
        ({"started_at": NOON}, None),
    ],
    ids=str,
)
def test_duration(values: dict[str, Any], seconds: float | None) -> None:
    assert duration(row(**values)) == seconds


def test_what_is_not_known_is_null() -> None:
    found = infraction(row(), "1", UTC_ZONE)
    assert (found["measure"], found["place"], found["vehicle"], found["endedAt"]) == (None, None, None, None)
    assert infraction(row(latitude=0.0), "1", UTC_ZONE)["place"] == {
        "address": None,
        "latitude": 0.0,
        "longitude": None,
        "mapUrl": None,
    }


def test_the_first_of_two_data_centres_keeps_the_plain_id() -> None:
    rows = [
        OrganisationRow(1, "https://integrate.eu.example", 7, "eu", None),
        OrganisationRow(2, "https://integrate.uat.example", 7, "uat", None),
        OrganisationRow(3, "http://127.0.0.1:8080/data", -7, "sim", None),
    ]
    found = named(rows)
    assert [one.public_id for one, _ in found] == ["7", "7@integrate.uat.example", "-7"]
    assert [names for _, names in found] == [
        {"7", "7@integrate.eu.example"},
        {"7@integrate.uat.example"},
        {"-7", "-7@127.0.0.1:8080/data"},
    ]
    # The token of somebody goes on to mean the same when another data centre joins.
    assert named(rows[:1])[0][0].public_id == "7"
