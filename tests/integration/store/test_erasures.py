"""An erased driver stays erased, whoever writes next, and events go on counting."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import psycopg

from mixhaul_store import support
from mixhaul_store.support import Driver, Vehicle
from support.store_haul import NOON, Haul, event

ERASED = -(2**63)
OTHER = 7
# Every column of `drivers` that is left of an erased one.
KEPT = {
    "organisation_id",
    "external_id",
    "site_external_id",
    "is_system_driver",
    "first_seen_at",
    "last_seen_at",
    "erased_at",
}
MARK = "personalmark"
OTHERS_MARK = "ofsomebodyelse"


def listed(external_id: int, *, name: str | None = None) -> Driver:
    mark = MARK if external_id == ERASED else OTHERS_MARK
    return Driver(
        external_id=external_id,
        name=name or mark,
        employee_number=mark,
        site_external_id=3,
        mobile_number=mark,
        email=mark,
        fm_driver_id=99,
        is_system_driver=False,
        extended_driver_id=mark,
        extended_driver_id_type="Hex",
        country=mark,
        image_uri=mark,
        additional_detail_fields=[{"Value": mark}],
        extra={"New": mark},
    )


async def sync(haul: Haul, *, days: int = 0, name: str = MARK, default_driver: int = ERASED) -> None:
    """What the daily sync writes."""
    at = NOON + timedelta(days=days)
    vehicle = Vehicle(external_id=1, description="Caminhão", default_driver_external_id=default_driver)
    async with haul.database.connection() as connection:
        await support.upsert_drivers(
            connection, haul.organisation_id, [listed(ERASED, name=name), listed(OTHER)], seen_at=at
        )
        await support.upsert_vehicles(connection, haul.organisation_id, [vehicle], seen_at=at)


ERASE = (
    "INSERT INTO erasures (organisation_id, driver_external_id, requested_by, request_id) VALUES (%s, %s, 'maria', 'r')"
)


async def erase(haul: Haul) -> None:
    async with haul.database.connection() as connection:
        await connection.execute(ERASE, (haul.organisation_id, ERASED))


async def driver(haul: Haul, external_id: int) -> dict[str, Any]:
    rows = await haul.rows("SELECT * FROM drivers")
    return next(row for row in rows if row["external_id"] == external_id)


async def assert_erased(haul: Haul) -> None:
    row = await driver(haul, ERASED)
    assert {name for name, value in row.items() if value is not None} == KEPT
    assert row["site_external_id"] == 3
    vehicles = await haul.rows("SELECT default_driver_external_id FROM vehicles")
    assert [one["default_driver_external_id"] for one in vehicles] in ([None], [OTHER])
    tables = await haul.rows(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'organisation_id'"
    )
    for table in {one["table_name"] for one in tables} - {"drivers"}:
        assert MARK not in str(await haul.rows(f"SELECT * FROM {table}")), table
    assert (await driver(haul, OTHER))["email"] == OTHERS_MARK


async def test_it_takes_effect_at_once_and_moves_the_watermark(haul: Haul) -> None:
    await sync(haul)
    mark = await haul.watermark()
    await erase(haul)
    await assert_erased(haul)
    assert await haul.watermark() == mark + 1


async def test_no_sync_undoes_it_nor_a_row_that_comes_anew(haul: Haul) -> None:
    await sync(haul)
    await erase(haul)
    async with haul.database.connection() as connection:
        result = await support.upsert_drivers(
            connection, haul.organisation_id, [listed(ERASED), listed(OTHER)], seen_at=NOON + timedelta(days=1)
        )
    assert (result.updated, result.unchanged) == (0, 2), "a list that says the same again was written again"
    await assert_erased(haul)
    await sync(haul, days=2, name=f"{MARK} renamed", default_driver=OTHER)
    await assert_erased(haul)
    await sync(haul, days=3)
    await assert_erased(haul)
    async with haul.database.connection() as connection:
        await connection.execute("DELETE FROM drivers WHERE external_id = %s", (ERASED,))
    await sync(haul, days=4)
    await assert_erased(haul)


async def test_one_that_was_erased_before_it_was_ever_listed_comes_empty(haul: Haul) -> None:
    await erase(haul)
    await sync(haul)
    await assert_erased(haul)


async def test_nothing_written_by_hand_undoes_it(haul: Haul) -> None:
    await sync(haul)
    await erase(haul)
    for statement in (
        "UPDATE drivers SET name = 'personalmark', email = 'personalmark' WHERE external_id = %s",
        'UPDATE drivers SET erased_at = NULL, extra = \'{"a": "personalmark"}\' WHERE external_id = %s',
        "UPDATE vehicles SET default_driver_external_id = %s",
    ):
        async with haul.database.connection() as connection:
            await connection.execute(statement.encode(), (ERASED,))
    await assert_erased(haul)


async def test_events_are_kept_and_a_delivery_of_the_same_or_another_version_undoes_nothing(haul: Haul) -> None:
    await sync(haul)
    first = event(1, reported_driver_external_id=ERASED, value=1.0)
    await haul.deliver(first)
    await erase(haul)
    await haul.deliver(first, at=NOON + timedelta(hours=1))
    await haul.deliver(
        event(1, reported_driver_external_id=ERASED, value=2.0),
        event(2, reported_driver_external_id=ERASED),
        at=NOON + timedelta(hours=2),
    )
    await assert_erased(haul)
    rows = await haul.rows("SELECT external_id, value, driver_external_id FROM telemetry_events ORDER BY 1")
    assert [(row["external_id"], row["value"], row["driver_external_id"]) for row in rows] == [
        (1, 2.0, ERASED),
        (2, None, ERASED),
    ]


async def test_a_sync_that_was_already_writing_does_not_bring_it_back(haul: Haul, database_url: str) -> None:
    """The sync holds the organisation's lock and has written the driver; the erasure waits for it, and wins."""
    await sync(haul)

    def erase_meanwhile() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(ERASE, (haul.organisation_id, ERASED))

    thread = threading.Thread(target=erase_meanwhile)
    with psycopg.connect(database_url) as writer:
        writer.execute("SELECT FROM organisations WHERE id = %s FOR NO KEY UPDATE", (haul.organisation_id,))
        writer.execute("UPDATE drivers SET name = 'personalmark of the sync' WHERE external_id = %s", (ERASED,))
        thread.start()
        waiting = (
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            " AND query LIKE 'INSERT INTO erasures%'"
        )
        with psycopg.connect(database_url, autocommit=True) as watcher:
            while not watcher.execute(waiting.encode()).fetchall():
                pass
    thread.join(20)
    await assert_erased(haul)
