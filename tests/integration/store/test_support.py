"""Whole lists of drivers, vehicles, types and sites: what changes, what stays, and what a short list does not do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from mixhaul_store import support
from mixhaul_store.classification import INFRACTION, NORMAL
from mixhaul_store.support import Driver, EventType, Site, UpsertResult, Vehicle
from support.store_haul import NOON, Haul

DAY = timedelta(days=1)


async def drivers(haul: Haul, rows: Sequence[Driver], *, at: datetime = NOON) -> UpsertResult:
    async with haul.database.connection() as connection:
        return await support.upsert_drivers(connection, haul.organisation_id, rows, seen_at=at)


async def event_types(haul: Haul, rows: Sequence[EventType], *, at: datetime = NOON) -> UpsertResult:
    async with haul.database.connection() as connection:
        return await support.upsert_event_types(connection, haul.organisation_id, rows, seen_at=at)


def named(*numbers: int, name: str = "José") -> list[Driver]:
    return [Driver(external_id=number, name=name) for number in numbers]


async def present(haul: Haul) -> list[int]:
    rows = await haul.rows("SELECT external_id FROM drivers WHERE removed_at IS NULL ORDER BY 1")
    return [row["external_id"] for row in rows]


WHOLE: dict[str, Any] = {
    "drivers": Driver(
        external_id=-(2**63),
        name="João D'Ávila \\u0000",
        employee_number="007",
        site_external_id=2**63 - 1,
        mobile_number="+55 11 91234-5678",
        email="joao@example.com",
        fm_driver_id=2**53 + 1,
        is_system_driver=False,
        extended_driver_id="AB",
        extended_driver_id_type="Hex",
        country="BR",
        image_uri="https://x/y",
        additional_detail_fields=[{"Id": 1, "Value": None, "n": 2**60 + 1}],
        extra={"New": [1, "ç"]},
    ),
    "vehicles": Vehicle(
        external_id=2**53 + 1,
        description="Caminhão",
        registration_number="ABC1D23",
        fleet_number="F-1",
        make="Volvo",
        model="FH",
        year="2024",
        vin_number="V",
        site_external_id=-5,
        fuel_type="Diesel",
        odometer_km=Decimal("123456.789"),
        engine_hours="P12DT3H4M5S",
        engine_seconds=1047845.25,
        default_driver_external_id=-7,
        user_state="Active",
        created_at=datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        extra={},
    ),
    "event_types": EventType(
        external_id=1,
        description="d",
        event_type="e",
        display_units="u",
        format_type="f",
        value_name="v",
        extra={"a": 1},
    ),
    "sites": Site(external_id=1, parent_external_id=2, name="n", type="SiteGroup", extra={}),
}


@pytest.mark.parametrize("table", WHOLE)
async def test_every_column_keeps_its_exact_value(haul: Haul, table: str) -> None:
    whole = WHOLE[table]
    bare = type(whole)(external_id=0)
    upsert = getattr(support, f"upsert_{table}")
    async with haul.database.connection() as connection:
        result = await upsert(connection, haul.organisation_id, [whole, bare], seen_at=NOON)
        assert (result.inserted, result.unchanged) == (2, 0)
        result = await upsert(connection, haul.organisation_id, [bare, whole], seen_at=NOON)
        assert (result.inserted, result.updated, result.unchanged) == (0, 0, 2)
    rows = {row["external_id"]: row for row in await haul.rows(f"SELECT * FROM {table}")}
    for one in (whole, bare):
        stored = rows[one.external_id]
        assert {name: stored[name] for name in type(one).__dataclass_fields__} == {
            name: getattr(one, name) for name in type(one).__dataclass_fields__
        }


async def test_only_what_differs_is_rewritten_and_all_that_is_listed_was_seen(haul: Haul) -> None:
    await drivers(haul, named(1, 2, 3))
    mark = await haul.watermark()
    rows = [*named(1, 2), Driver(external_id=3, name="Ana"), *named(4)]
    assert await drivers(haul, rows, at=NOON + DAY) == UpsertResult(1, 1, 2, 0)
    assert await haul.watermark() == mark + 1
    seen = await haul.rows("SELECT first_seen_at, last_seen_at FROM drivers ORDER BY external_id")
    assert [row["last_seen_at"] for row in seen] == [NOON + DAY] * 4
    assert [row["first_seen_at"] for row in seen] == [NOON] * 3 + [NOON + DAY]
    assert await drivers(haul, rows, at=NOON + 2 * DAY) == UpsertResult(0, 0, 4, 0)
    assert await haul.watermark() == mark + 2, "lastSeenAt is in answers"
    assert await drivers(haul, rows, at=NOON + 2 * DAY) == UpsertResult(0, 0, 4, 0)
    assert await haul.watermark() == mark + 2


async def test_a_row_that_is_listed_no_more_is_marked_and_one_that_comes_back_is_not(haul: Haul) -> None:
    await drivers(haul, named(1, 2, 3))
    mark = await haul.watermark()
    assert await drivers(haul, named(1, 2), at=NOON + DAY) == UpsertResult(0, 0, 2, 1)
    gone = await haul.row("SELECT * FROM drivers WHERE removed_at IS NOT NULL")
    assert (gone["external_id"], gone["removed_at"], gone["last_seen_at"]) == (3, NOON + DAY, NOON)
    assert await drivers(haul, named(1, 2), at=NOON + 2 * DAY) == UpsertResult(0, 0, 2, 0)
    assert (await haul.row("SELECT * FROM drivers WHERE removed_at IS NOT NULL"))["removed_at"] == NOON + DAY
    assert await drivers(haul, named(1, 2, 3), at=NOON + 3 * DAY) == UpsertResult(0, 1, 2, 0)
    assert (await present(haul), await haul.watermark()) == ([1, 2, 3], mark + 3)


@pytest.mark.parametrize(
    ("listed", "left", "doubted"),
    [([], 10, 10), ([1, 2, 3, 4], 10, 10), ([1, 2, 3, 4, 5], 5, None), ([11, 12], 12, 10)],
    ids=["empty", "short", "a handful fewer", "short and new"],
)
async def test_a_short_list_wipes_nothing(haul: Haul, listed: list[int], left: int, doubted: int | None) -> None:
    await drivers(haul, named(*range(1, 11)))
    result = await drivers(haul, named(*listed), at=NOON + DAY)
    assert (result.doubted, len(await present(haul))) == (doubted, left)


async def books(haul: Haul) -> tuple[int, int | None]:
    row = await haul.row("SELECT good_rows, short_rows FROM support_lists WHERE list = 'drivers'")
    return row["good_rows"], row["short_rows"]


async def test_a_short_list_that_comes_a_second_time_is_believed(haul: Haul) -> None:
    await drivers(haul, named(*range(1, 21)))
    assert (await drivers(haul, named(1, 2), at=NOON + DAY)).doubted == 20
    assert await books(haul) == (20, 2)
    # Number 1 was in the first short list: only what both lack is gone.
    mark = await haul.watermark()
    assert await drivers(haul, named(2, 3), at=NOON + 2 * DAY) == UpsertResult(0, 0, 2, 17)
    assert (await present(haul), await books(haul), await haul.watermark()) == ([1, 2, 3], (2, None), mark + 1)
    assert await drivers(haul, named(2, 3), at=NOON + 3 * DAY) == UpsertResult(0, 0, 2, 1)


async def test_two_short_lists_of_other_lengths_are_two_doubts(haul: Haul) -> None:
    await drivers(haul, named(*range(1, 101)))
    for day, length in enumerate((0, 60, 30, 20), start=1):
        result = await drivers(haul, named(*range(1, length + 1)), at=NOON + day * DAY)
        assert result.doubted == (None if length == 20 else 100)
    assert await present(haul) == [*range(1, 31)]


async def test_a_good_list_ends_the_doubt(haul: Haul) -> None:
    await drivers(haul, named(*range(1, 21)))
    await drivers(haul, [], at=NOON + DAY)
    await drivers(haul, named(*range(1, 20)), at=NOON + 2 * DAY)
    assert await books(haul) == (19, None)
    assert (await drivers(haul, [], at=NOON + 3 * DAY)).doubted == 19


async def test_the_same_id_twice_counts_once(haul: Haul) -> None:
    result = await drivers(haul, [*named(1, name="a"), *named(1, name="b")])
    assert result == UpsertResult(1, 0, 0, 0)
    assert (await haul.row("SELECT name FROM drivers"))["name"] == "b"


async def test_a_nul_in_a_text_costs_nothing_but_itself(haul: Haul) -> None:
    row = Driver(external_id=1, name="a\0b\\\0c\\u0000", extra={"k\0": "v\0"})
    await drivers(haul, [row])
    stored = await haul.row("SELECT name, extra FROM drivers")
    assert stored == {"name": "a\ufffdb\\\ufffdc\\u0000", "extra": {"k\ufffd": "v\ufffd"}}
    assert (await drivers(haul, [row])).unchanged == 1


async def test_other_organisations_are_left_alone(haul: Haul) -> None:
    async with haul.database.connection() as connection:
        cursor = await connection.execute(
            "INSERT INTO organisations (api_url, external_id, source) VALUES ('https://uat', 1, 's') RETURNING id"
        )
        (number,) = await cursor.fetchone() or (0,)
        await support.upsert_drivers(connection, number, named(1, 2), seen_at=NOON)
    await drivers(haul, named(2, 3))
    await drivers(haul, named(3), at=NOON + DAY)
    gone = await haul.rows("SELECT organisation_id, external_id FROM drivers WHERE removed_at IS NOT NULL")
    assert gone == [{"organisation_id": haul.organisation_id, "external_id": 2}]


async def classified(haul: Haul) -> tuple[str, bool, str]:
    row = await haul.row("SELECT family, is_infraction, classification_origin AS origin FROM event_types")
    return row["family"], row["is_infraction"], row["origin"]


async def test_a_type_is_proposed_from_its_description_until_that_changes(haul: Haul) -> None:
    await event_types(haul, [EventType(external_id=1, description="(Tr) Freada Brusca")])
    assert await classified(haul) == (INFRACTION, True, "default")
    await event_types(haul, [EventType(external_id=1, description="Ignição ligada")])
    assert await classified(haul) == (NORMAL, False, "default")


async def test_a_proposal_for_the_same_description_stays(haul: Haul) -> None:
    await event_types(haul, [EventType(external_id=1, description="Harsh braking")])
    async with haul.database.connection() as connection:
        await connection.execute("UPDATE event_types SET is_infraction = false, family = 'as an older version said'")
    assert (await event_types(haul, [EventType(external_id=1, description="Harsh braking")])).unchanged == 1
    await event_types(haul, [EventType(external_id=1, description="Harsh braking", value_name="g")])
    assert await classified(haul) == ("as an older version said", False, "default")


async def test_a_person_s_decision_is_never_touched(haul: Haul) -> None:
    await event_types(haul, [EventType(external_id=1, description="Harsh braking"), EventType(external_id=2)])
    async with haul.database.connection() as connection:
        await connection.execute("DELETE FROM event_types WHERE external_id = 2")
        await connection.execute(
            "UPDATE event_types SET is_infraction = false, family = 'mine', classification_origin = 'person',"
            " classified_by = 'ana', classified_at = %s",
            (NOON,),
        )
    other = EventType(external_id=2)
    for rows in (
        [EventType(external_id=1, description="Over speeding")],
        [other, EventType(external_id=3)],
        [EventType(external_id=1, description="Harsh cornering"), other],
    ):
        await event_types(haul, rows, at=NOON + DAY)
        row = await haul.row("SELECT * FROM event_types WHERE external_id = 1")
        decided = (row["family"], row["is_infraction"], row["classified_by"], row["classified_at"])
        assert decided == ("mine", False, "ana", NOON)
    assert (row["description"], row["removed_at"]) == ("Harsh cornering", None)
