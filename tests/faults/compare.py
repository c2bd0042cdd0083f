"""Compares a database with the simulator's truth, over HTTP and SQL: every event once, every column, every id exact.

A program of its own: it shares no decoder, no mapping and no driver code with the product (standard `json`, own names,
own date reader), so that a mistake there can't hide here. Use:

    python tests/faults/compare.py --control http://127.0.0.1:PORT --database postgresql://...
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

PAGE = 5000

INT, DEC, FLOAT, TEXT, TIME, BOOL, JSON, ENUM = "int", "decimal", "float", "text", "time", "bool", "json", "enum"

EVENT: dict[str, tuple[str, str]] = {
    "EventId": ("external_id", INT),
    "AssetId": ("vehicle_external_id", INT),
    "DriverId": ("reported_driver_external_id", INT),
    "EventTypeId": ("event_type_external_id", INT),
    "EventCategory": ("event_category", ENUM),
    "StartDateTime": ("started_at", TIME),
    "EndDateTime": ("ended_at", TIME),
    "StartOdometerKilometres": ("start_odometer_km", DEC),
    "EndOdometerKilometres": ("end_odometer_km", DEC),
    "Value": ("value", FLOAT),
    "ValueType": ("value_type", ENUM),
    "ValueUnits": ("value_units", TEXT),
    "FuelUsedLitres": ("fuel_used_litres", FLOAT),
    "TotalTimeSeconds": ("total_time_seconds", INT),
    "TotalOccurances": ("total_occurrences", INT),
    "MediaUrls": ("media_urls", JSON),
    "LocationId": ("location_external_id", INT),
    "SpeedLimit": ("speed_limit", FLOAT),
}

POSITION: dict[str, tuple[str, str]] = {
    "PositionId": ("{}_position_id", INT),
    "AssetId": ("{}_position_vehicle_external_id", INT),
    "DriverId": ("{}_position_driver_external_id", INT),
    "Timestamp": ("{}_position_at", TIME),
    "Latitude": ("{}_latitude", FLOAT),
    "Longitude": ("{}_longitude", FLOAT),
    "SpeedKilometresPerHour": ("{}_speed_kmh", FLOAT),
    "SpeedLimit": ("{}_position_speed_limit", FLOAT),
    "AltitudeMetres": ("{}_altitude_metres", INT),
    "Heading": ("{}_heading", INT),
    "NumberOfSatellites": ("{}_satellites", INT),
    "Hdop": ("{}_hdop", INT),
    "Vdop": ("{}_vdop", INT),
    "Pdop": ("{}_pdop", INT),
    "AgeOfReadingSeconds": ("{}_age_of_reading_seconds", INT),
    "DistanceSinceReadingKilometres": ("{}_distance_since_reading_km", INT),
    "OdometerKilometres": ("{}_position_odometer_km", DEC),
    "FormattedAddress": ("{}_address", TEXT),
    "Source": ("{}_position_source", ENUM),
    "IsAvl": ("{}_is_avl", BOOL),
}

SUPPORT: dict[str, tuple[str, str, dict[str, tuple[str, str]]]] = {
    "drivers": ("drivers", "DriverId", {
        "DriverId": ("external_id", INT), "Name": ("name", TEXT), "EmployeeNumber": ("employee_number", TEXT),
        "SiteId": ("site_external_id", INT), "MobileNumber": ("mobile_number", TEXT), "Email": ("email", TEXT),
        "FmDriverId": ("fm_driver_id", INT), "IsSystemDriver": ("is_system_driver", BOOL),
        "ExtendedDriverId": ("extended_driver_id", TEXT), "Country": ("country", TEXT), "ImageUri": ("image_uri", TEXT),
    }),
    "vehicles": ("vehicles", "AssetId", {
        "AssetId": ("external_id", INT), "Description": ("description", TEXT),
        "RegistrationNumber": ("registration_number", TEXT), "FleetNumber": ("fleet_number", TEXT),
        "Make": ("make", TEXT), "Model": ("model", TEXT), "Year": ("year", TEXT), "VinNumber": ("vin_number", TEXT),
        "SiteId": ("site_external_id", INT), "FuelType": ("fuel_type", TEXT), "Odometer": ("odometer_km", DEC),
        "EngineHours": ("engine_hours", TEXT), "DefaultDriverId": ("default_driver_external_id", INT),
        "UserState": ("user_state", TEXT), "CreatedDate": ("created_at", TIME),
    }),
    "eventtypes": ("event_types", "EventTypeId", {
        "EventTypeId": ("external_id", INT), "Description": ("description", TEXT), "EventType": ("event_type", TEXT),
        "DisplayUnits": ("display_units", TEXT), "FormatType": ("format_type", TEXT),
        "ValueName": ("value_name", TEXT),
    }),
}  # fmt: skip

# Names by number where MiX may send the number.
SOURCES = ["gps", "satellite", "beacon", "calculated", "hos"]


@dataclass
class Report:
    """What the comparison found; `differences` holds the first ones as sentences."""

    offered: int = 0
    stored: int = 0
    missing: int = 0
    extra: int = 0
    doubled: int = 0
    differing: int = 0
    quarantined: int = 0
    unquarantined: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return not (self.missing or self.extra or self.doubled or self.differing or self.unquarantined)

    def note(self, sentence: str) -> None:
        if len(self.differences) < 20:
            self.differences.append(sentence)


def read_time(text: str) -> datetime:
    """ISO 8601, UTC where there is no offset, any number of fraction digits."""
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?", text.strip())
    if not found:
        raise ValueError(f"not a time: {text!r}")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    micro = int((found[7] or "0")[:6].ljust(6, "0"))
    zone = UTC
    if found[8] and found[8] != "Z":
        sign = -1 if found[8][0] == "-" else 1
        digits = found[8][1:].replace(":", "")
        zone = timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
    return datetime(year, month, day, hour, minute, second, micro, tzinfo=zone).astimezone(UTC)


def same(kind: str, truth: Any, stored: Any) -> bool:
    """Whether a column holds what MiX said. NULL is not 0, and an id is exact to the last digit."""
    if truth is None or stored is None:
        return truth is None and stored is None
    match kind:
        case "int":
            return bool(int(str(truth)) == stored)
        case "decimal":
            return Decimal(str(truth)) == Decimal(stored)
        case "float":
            return float(truth) == float(stored)
        case "time":
            return bool(abs(read_time(truth) - stored) <= timedelta(microseconds=1))
        case "enum":
            word = SOURCES[truth] if isinstance(truth, int) and 0 <= truth < len(SOURCES) else str(truth)
            return word.casefold() == str(stored).casefold()
        case "bool" | "json":
            return bool(truth == stored)
        case _:
            return bool(str(truth) == stored)


def get(control: str, path: str) -> Any:
    with urllib.request.urlopen(f"{control}{path}", timeout=60) as answer:  # noqa: S310  (loopback)
        return json.loads(answer.read(), parse_float=Decimal)


def truth_events(control: str, organisation: str) -> dict[int, dict[str, Any]]:
    """Every event that the simulator has let the feed see, latest version, by id."""
    found: dict[int, dict[str, Any]] = {}
    offset = 0
    while True:
        page = get(control, f"/control/truth/events?organisation={organisation}&offset={offset}&limit={PAGE}")
        rows = page["events"] if isinstance(page, dict) else page
        for row in rows:
            found[int(row["EventId"])] = row
        if len(rows) < PAGE:
            return found
        offset += PAGE


def compare(control: str, database: str) -> Report:
    """Compare every organisation that the simulator has. `database` may be read while nothing writes."""
    report = Report()
    organisations = get(control, "/control/truth/organisations")
    rows = organisations["organisations"] if isinstance(organisations, dict) else organisations
    with psycopg.connect(database, options="-c TimeZone=UTC", row_factory=dict_row) as connection:
        for organisation in rows:
            if organisation.get("forbidden"):
                continue
            _compare_organisation(control, connection, str(organisation["GroupId"]), report)
        _compare_quarantine(control, connection, report)
    return report


def _compare_organisation(control: str, connection: psycopg.Connection[Any], organisation: str, report: Report) -> None:
    truth = truth_events(control, organisation)
    stored: dict[int, dict[str, Any]] = {}
    cursor = connection.execute(
        "SELECT e.* FROM telemetry_events e JOIN organisations o ON o.id = e.organisation_id WHERE o.external_id = %s",
        (int(organisation),),
    )
    for row in cursor:
        if row["external_id"] in stored:
            report.doubled += 1
            report.note(f"event {row['external_id']} is stored twice")
        stored[row["external_id"]] = row
    report.offered += len(truth)
    report.stored += len(stored)
    for missing in truth.keys() - stored.keys():
        report.missing += 1
        report.note(f"event {missing} of organisation {organisation} is missing")
    for extra in stored.keys() - truth.keys():
        report.extra += 1
        report.note(f"event {extra} of organisation {organisation} is stored, but MiX never had it")
    for key in truth.keys() & stored.keys():
        differences = list(event_differences(truth[key], stored[key]))
        if differences:
            report.differing += 1
            report.note(f"event {key}: {'; '.join(differences)}")
    keys = connection.execute(
        "SELECT k.external_id, k.occurred_at FROM event_keys k JOIN organisations o ON o.id = k.organisation_id"
        " WHERE o.external_id = %s",
        (int(organisation),),
    ).fetchall()
    places = {row["external_id"]: row["occurred_at"] for row in keys}
    for key, row in stored.items():
        if places.get(key) != row["occurred_at"]:
            report.differing += 1
            report.note(f"event {key}: its key is at {places.get(key)}, its row at {row['occurred_at']}")
    for key in places.keys() - stored.keys():
        report.missing += 1
        report.note(f"event {key} has a key, but no row")


def compare_support(control: str, database: str) -> Report:
    """Drivers, vehicles and event types after a sync: every row that MiX lists, every column. Rows that it no longer
    lists may be there, marked as removed."""
    report = Report()
    with psycopg.connect(database, options="-c TimeZone=UTC", row_factory=dict_row) as connection:
        for path, (table, key, columns) in SUPPORT.items():
            answer = get(control, f"/control/truth/{path}")
            truth = {(int(row["organisation"]), int(row[key])): row for row in answer[path]}
            stored = {
                (row["organisation"], row["external_id"]): row
                for row in connection.execute(
                    f"SELECT o.external_id AS organisation, t.* FROM {table} t"
                    " JOIN organisations o ON o.id = t.organisation_id WHERE t.removed_at IS NULL"
                )
            }
            report.offered += len(truth)
            report.stored += len(stored)
            report.missing += len(truth.keys() - stored.keys())
            report.extra += len(stored.keys() - truth.keys())
            for identity in truth.keys() & stored.keys():
                for name, (column, kind) in columns.items():
                    if not same(kind, truth[identity].get(name), stored[identity][column]):
                        report.differing += 1
                        report.note(
                            f"{table} {identity[1]}, {column}: {truth[identity].get(name)!r}, "
                            f"{stored[identity][column]!r}"
                        )
    return report


def _compare_quarantine(control: str, connection: psycopg.Connection[Any], report: Report) -> None:
    """Every record that is no event is kept, byte for byte."""
    kept = {bytes(row["record"]) for row in connection.execute("SELECT record FROM quarantined_records")}
    report.quarantined = len(kept)
    answer = get(control, "/control/truth/quarantinable")
    for row in answer["records"]:
        if base64.b64decode(row["record"]) not in kept:
            report.unquarantined += 1
            report.note(f"a record of the kind {row['variant']} is not in quarantine")


def event_differences(truth: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """Each column that does not hold what MiX said, as `column: truth, stored`."""
    found: list[str] = []
    for name, (column, kind) in EVENT.items():
        if not same(kind, truth.get(name), stored[column]):
            found.append(f"{column}: {truth.get(name)!r}, {stored[column]!r}")
    for side, name in (("start", "StartPosition"), ("end", "EndPosition")):
        position = truth.get(name) or {}
        for inner, (pattern, kind) in POSITION.items():
            column = pattern.format(side)
            if not same(kind, position.get(inner), stored[column]):
                found.append(f"{column}: {position.get(inner)!r}, {stored[column]!r}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control", required=True, help="the simulator's control URL")
    parser.add_argument("--database", required=True, help="a libpq URL")
    arguments = parser.parse_args()
    report = compare(arguments.control, arguments.database)
    print(
        f"offered {report.offered}, stored {report.stored}, missing {report.missing}, doubled {report.doubled}, "
        f"differing {report.differing}, never offered {report.extra}, quarantined {report.quarantined} "
        f"(and {report.unquarantined} not)"
    )
    for sentence in report.differences:
        print(f"  {sentence}")
    return 0 if report.equal else 1


if __name__ == "__main__":
    sys.exit(main())
