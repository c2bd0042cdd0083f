"""Support data, history and amendments, field by field as the contract has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration.simulator.conftest import Caller


async def test_drivers(caller: Caller) -> None:
    rows = (await caller.get(f"api/drivers/organisation/{caller.organisation}")).json()
    fields = {name for row in rows for name in row}
    assert fields == {
        *("DriverId", "Name", "EmployeeNumber", "SiteId", "MobileNumber", "Email", "FmDriverId", "ExtendedDriverId"),
        *("ExtendedDriverIdType", "Country", "ImageUri", "AdditionalDetailFields"),
    }
    extra = next(row["AdditionalDetailFields"] for row in rows if row.get("AdditionalDetailFields"))
    assert set(extra[0]) == {"Id", "Label", "HelpText", "IsRequired", "Value"}
    truth = (await caller.truth("drivers", organisation=caller.organisation))["drivers"]
    assert [row["IsSystemDriver"] for row in truth] == [row["FmDriverId"] in (0, 1) for row in rows]
    assert [row["DriverId"] for row in truth] == [str(row["DriverId"]) for row in rows]


async def test_vehicles(caller: Caller) -> None:
    rows = (await caller.get(f"api/assets/group/{caller.organisation}")).json()
    assert len(rows) == 3
    row = rows[0]
    assert set(row) == {
        *("AssetId", "Description", "RegistrationNumber", "FleetNumber", "Make", "Model", "Year", "VinNumber"),
        *("SiteId", "FuelType", "Odometer", "EngineHours", "DefaultDriverId", "UserState", "CreatedDate"),
    }
    assert isinstance(row["Year"], str) and row["EngineHours"].startswith("P")
    assert row["CreatedDate"].endswith("+00:00")
    below = (await caller.get(f"api/assets/group/{row['SiteId']}")).json()
    assert row["AssetId"] in [each["AssetId"] for each in below]


async def test_late_and_removed_rows(caller: Caller) -> None:
    counts = await caller.do("support", {"organisation": caller.organisation, "reveal": True})
    assert counts["vehicles"] == 4 and counts["eventtypes"] == 20
    counts = await caller.do("support", {"organisation": caller.organisation, "list": "drivers", "remove": 2})
    assert counts["drivers"] == 4
    assert len((await caller.get(f"api/drivers/organisation/{caller.organisation}")).json()) == 4
    counts = await caller.do("support", {"organisation": caller.organisation, "restore": True})
    assert counts["drivers"] == 6


async def test_event_types_organisations_and_sites(caller: Caller) -> None:
    rows = (await caller.get(f"api/libraryevents/organisation/{caller.organisation}")).json()
    assert set(rows[0]) == {"EventTypeId", "Description", "EventType", "DisplayUnits", "FormatType", "ValueName"}
    assert "(Tr) Excesso de Velocidade 70 Km" in [row["Description"] for row in rows]
    groups = (await caller.get("api/organisationgroups")).json()
    assert [set(group) for group in groups] == [{"GroupId", "Name", "Type", "DisplayTimeZone"}] * 2
    assert min(group["GroupId"] for group in groups) < 0 < max(group["GroupId"] for group in groups)
    tree = (await caller.get(f"api/organisationgroups/subgroups/{caller.organisation}")).json()
    kinds: set[str] = set()

    def walk(node: dict[str, Any]) -> int:
        kinds.add(node["Type"])
        return 1 + sum(walk(child) for child in node["SubGroups"])

    count = walk(tree)
    assert kinds >= {"OrganisationGroup", "OrganisationSubGroup", "SiteGroup", "DefaultSite"}
    assert len((await caller.truth("sites", organisation=caller.organisation))["sites"]) == count


async def test_amendments(caller: Caller) -> None:
    (event_id,) = (await caller.do("events", {"organisation": caller.organisation}))["eventIds"]
    body = {"organisation": caller.organisation, "eventId": event_id, "type": "ReassignedEvent", "newDriverId": "-7"}
    made = await caller.do("amendments", body)
    today = datetime.now(UTC)

    async def ask(start: datetime, end: datetime) -> Any:
        window = f"from/{start:%Y%m%d}/to/{end:%Y%m%d}"
        return await caller.get(f"api/events/groups/amended/{caller.organisation}/{window}")

    rows = (await ask(today - timedelta(days=6), today)).json()
    assert {"EventId": int(event_id), "AmendmentType": "ReassignedEvent", "NewDriverId": -7}.items() <= rows[-1].items()
    assert made["AmendmentDate"] == rows[-1]["AmendmentDate"]
    assert len((await caller.truth("amendments", organisation=caller.organisation))["amendments"]) == len(rows)
    assert (await ask(today - timedelta(days=7), today)).status_code == 400
    assert (await ask(today, today - timedelta(days=1))).status_code == 400
    assert (await ask(today - timedelta(days=9), today - timedelta(days=8))).json() == []


class TestHistory:
    @pytest.mark.parametrize(
        "route", ["groups/entitytype/Asset", "groups/entitytype/Driver", "assets", "drivers"], ids=lambda text: text
    )
    async def test_all_forms_of_the_route(self, caller: Caller, route: str) -> None:
        answer = await caller.post(window(route, days=6), {"EntityIds": [int(caller.organisation)]})
        assert answer.status_code == 200
        assert "hasmoreitems" not in answer.headers
        ids = [event["EventId"] for event in answer.json()]
        assert len(set(ids)) == len(ids) > 200

    async def test_by_vehicle_driver_and_type(self, caller: Caller) -> None:
        event = (await caller.truth("events", organisation=caller.organisation, limit="1"))["events"][0]
        for name in ("AssetId", "DriverId"):
            answer = await caller.post(window("assets"), {"EntityIds": [int(event[name])], "MenuId": ""})
            assert {str(each[name]) for each in answer.json()} == {event[name]}
        body = {"EntityIds": [int(caller.organisation)], "EventTypeIds": [int(event["EventTypeId"])]}
        answer = await caller.post(window("assets"), body)
        assert {str(each["EventTypeId"]) for each in answer.json()} == {event["EventTypeId"]}

    @pytest.mark.parametrize(
        ("body", "days", "status"),
        [
            ({"EntityIds": []}, 1, 400),
            ({"EntityIds": ["5"]}, 1, 400),
            ({}, 1, 400),
            ([1], 1, 400),
            ({"EntityIds": [5]}, 1, 401),
            (None, 8, 400),
            (None, -1, 400),
        ],
    )
    async def test_what_is_refused(self, caller: Caller, body: Any, days: int, status: int) -> None:
        wanted = body if body is not None else {"EntityIds": [int(caller.organisation)]}
        assert (await caller.post(window("assets", days=days), wanted)).status_code == status

    async def test_filtered_by_start_or_by_creation(self, start: Callable[..., Any]) -> None:
        found = []
        for history_filter in ("start", "creation"):
            caller: Caller = await start(history_filter=history_filter, history_days=0.0)
            await caller.do("events", {"organisation": caller.organisation, "count": 3, "daysLate": 20})
            answer = await caller.post(window("assets"), {"EntityIds": [int(caller.organisation)]})
            found.append(len(answer.json()))
        assert found == [0, 3]


def window(route: str, *, days: int = 6) -> str:
    end = datetime.now(UTC) + timedelta(minutes=1)
    start = end - timedelta(days=days)
    return f"api/events/{route}/from/{start:%Y%m%d%H%M%S}/to/{end:%Y%m%d%H%M%S}"
