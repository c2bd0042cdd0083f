"""Support data: a row needs its id; anything else that is odd costs itself only, and is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Raw

from mixhaul_mix import types
from mixhaul_mix.events import Amendment, RecordRejected, decode_amendment
from mixhaul_mix.lenient import duration_seconds

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def raws(*rows: Any) -> list[Raw]:
    return [Raw(row if isinstance(row, bytes) else json.dumps(row).encode()) for row in rows]


def test_a_driver() -> None:
    row = {
        "DriverId": -5,
        "Name": "João d'Ávila",
        "EmployeeNumber": "0012",
        "SiteId": "77",
        "MobileNumber": "+55 11 91234-5678",
        "Email": None,
        "FmDriverId": 1,
        "IsSystemDriver": False,
        "ExtendedDriverId": "AB12",
        "ExtendedDriverIdType": -2,
        "Country": "BR",
        "ImageUri": None,
        "AdditionalDetailFields": [{"Id": 1, "Label": "CNH", "Value": "x"}],
        "Neu": {"a": 1},
    }
    listed = types.drivers(raws(row), observed_at=NOW)
    assert listed.rejected == []
    assert listed.rows == [
        types.Driver(
            driver_id=-5,
            name="João d'Ávila",
            employee_number="0012",
            site_id=77,
            mobile_number="+55 11 91234-5678",
            fm_driver_id=1,
            is_system_driver=True,
            extended_driver_id="AB12",
            extended_driver_id_type="Hex",
            country="BR",
            additional_detail_fields=[{"Id": 1, "Label": "CNH", "Value": "x"}],
            extra={"Neu": {"a": 1}},
        )
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"FmDriverId": 0}, True),
        ({"FmDriverId": 2, "IsSystemDriver": True}, False),
        ({"IsSystemDriver": "True"}, True),
        ({}, None),
    ],
)
def test_who_is_a_system_driver_is_computed(fields: dict[str, Any], expected: bool | None) -> None:
    (row,) = types.drivers(raws({"DriverId": 1, **fields}), observed_at=NOW).rows
    assert row.is_system_driver is expected


def test_a_vehicle() -> None:
    row = {
        "AssetId": 2**62,
        "Description": "Caminhão 12",
        "Year": 2019,
        "Odometer": "123456.7",
        "EngineHours": "P12DT3H4M5S",
        "CreatedDate": "2020-01-02T03:04:05-03:00",
        "DefaultDriverId": None,
    }
    (vehicle,) = types.listing(types.VEHICLE, raws(row), observed_at=NOW).rows
    assert vehicle == types.Vehicle(
        asset_id=2**62,
        description="Caminhão 12",
        year="2019",
        odometer=Decimal("123456.7"),
        engine_hours="P12DT3H4M5S",
        created_date=datetime(2020, 1, 2, 6, 4, 5, tzinfo=UTC),
    )
    assert vehicle.engine_seconds == 12 * 86400 + 3 * 3600 + 4 * 60 + 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT0S", 0.0),
        ("PT1.5S", 1.5),
        ("P1D", 86400.0),
        ("PT36H", 129600.0),
        ("-PT1M", -60.0),
        ("12.03:04:05", None),
        ("P", None),
        ("PT", None),
        ("P1Y", None),
        ("", None),
        ("5", None),
    ],
)
def test_engine_hours(text: str, expected: float | None) -> None:
    assert duration_seconds(text) == expected


def test_a_field_that_cannot_be_read_stays_as_it_came() -> None:
    row = {"AssetId": 1, "Odometer": "abc", "SiteId": 2**70, "CreatedDate": 5, "Make": {"a": 1}, "Model": True}
    (vehicle,) = types.listing(types.VEHICLE, raws(row), observed_at=NOW).rows
    assert vehicle == types.Vehicle(
        asset_id=1,
        extra={"Odometer": "abc", "SiteId": 2**70, "CreatedDate": 5, "Make": {"a": 1}, "Model": True},
    )


def test_what_no_database_can_hold_is_replaced() -> None:
    row = rb'{"EventTypeId":1,"Description":"a\u0000b\ud800","Odd\u0000":["\udc00", 1e999]}'
    (kind,) = types.listing(types.EVENT_TYPE, raws(row), observed_at=NOW).rows
    assert kind == types.EventType(
        event_type_id=1, description="a\ufffdb\ufffd", extra={"Odd\ufffd": ["\ufffd", "1E+999"]}
    )


def test_rows_without_a_usable_id_are_told_and_the_others_kept() -> None:
    listed = types.listing(
        types.EVENT_TYPE,
        raws(
            {"EventTypeId": 1},
            {"Description": "x"},
            {"EventTypeId": "secret-x"},
            5,
            None,
            b'{"EventTypeId":NaN}',
            {"EventTypeId": 2},
        ),
        observed_at=NOW,
    )
    assert [row.event_type_id for row in listed.rows] == [1, 2]
    assert listed.rejected == [
        "row 2: EventTypeId is missing",
        "row 3: EventTypeId is no whole number",
        "row 4: the row is no object",
        "row 5: the row is no object",
        "row 6: it holds NaN, which is no JSON",
    ]


def test_organisations() -> None:
    rows = [{"GroupId": "9007199254740993", "Name": "A", "Type": 1, "DisplayTimeZone": "America/Sao_Paulo"}]
    (row,) = types.listing(types.ORGANISATION, raws(*rows), observed_at=NOW).rows
    assert row == types.Organisation(
        group_id=2**53 + 1, name="A", type="OrganisationGroup", display_time_zone="America/Sao_Paulo"
    )


def test_the_tree_of_sites_is_flat_with_parents_first() -> None:
    tree = {
        "GroupId": 1,
        "Name": "Org",
        "Type": "organisationgroup",
        "SubGroups": [
            {"GroupId": 2, "Name": "Norte", "Type": 4, "SubGroups": [{"GroupId": 3, "Type": "Depot", "New": 1}]},
            {"Name": "no id", "SubGroups": [{"GroupId": 4, "Type": "6", "SubGroups": None}]},
            7,
        ],
    }
    listed = types.sites([tree], observed_at=NOW)
    assert listed.rows == [
        types.Site(group_id=1, name="Org", type="OrganisationGroup"),
        types.Site(group_id=2, name="Norte", type="SiteGroup", parent_group_id=1),
        types.Site(group_id=3, type="Depot", parent_group_id=2, extra={"New": 1}),
        types.Site(group_id=4, type="DefaultSite", parent_group_id=1),
    ]
    assert listed.rejected == ["group below 1: GroupId is missing", "group below 1: the row is no object"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"EventId": "-7", "AmendmentType": 0, "AmendmentDate": "2026-05-01T00:00:00"},
            Amendment(event_id=-7, amendment_type="QuarantinedEvent", amendment_date=NOW),
        ),
        (
            {"EventId": 7, "AmendmentType": "reassignedevent", "NewDriverId": "8", "Why": "x"},
            Amendment(event_id=7, amendment_type="ReassignedEvent", new_driver_id=8, extra={"Why": "x"}),
        ),
        ({"EventId": 7, "AmendmentType": "Other"}, Amendment(event_id=7, amendment_type="Other")),
    ],
)
def test_amendments(row: dict[str, Any], expected: Amendment) -> None:
    assert decode_amendment(json.dumps(row).encode()) == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"AmendmentType": 0}, "EventId is missing"),
        ({"EventId": 1}, "AmendmentType is missing"),
        ({"EventId": 1, "AmendmentType": 0, "NewDriverId": 1.5}, "NewDriverId is no whole number"),
        ([], "no object"),
    ],
)
def test_an_amendment_that_cannot_be_read(row: Any, reason: str) -> None:
    with pytest.raises(RecordRejected, match=reason):
        decode_amendment(json.dumps(row).encode())
