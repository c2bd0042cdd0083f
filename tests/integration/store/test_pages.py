"""What a page leaves in the database, and what it leaves alone."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import zstandard

from mixhaul_store import support
from mixhaul_store.records import EVENT_COLUMN_TYPES, EVENT_VALUE_COLUMNS, PageResult, digest
from support.store_haul import NOON, Haul, event, later, record, rejected

MINUTE = timedelta(minutes=1)
SAMPLES: dict[str, Any] = {
    "int8": -(2**63),
    "int4": -(2**31),
    "text": 'São João d\'Aliança \\ "x" \U0001f69a',
    "timestamptz": datetime(2026, 11, 20, 11, 59, 59, 123456, tzinfo=UTC),
    "numeric": Decimal("123456789.123456789"),
    "float8": 0.1 + 0.2,
    "jsonb": '{"a": 12345678901234567890, "b": null}',
    "bool": False,
}
EVERY_COLUMN = {name: SAMPLES[kind] for name, kind in EVENT_COLUMN_TYPES.items()}
ZEROS: dict[str, Any] = {"int8": 0, "int4": 0, "text": "", "numeric": Decimal(0), "float8": 0.0, "bool": False}

VERSIONS = "SELECT 'e', external_id, xmin::text, ctid::text FROM telemetry_events UNION ALL "
VERSIONS += "SELECT 'k', external_id, xmin::text, ctid::text FROM event_keys ORDER BY 1, 2"


def result(**counts: int) -> PageResult:
    values: dict[str, Any] = {"inserted": 0, "updated": 0, "unchanged": 0, "quarantined": 0}
    return PageResult(**(values | counts), unknown_references=False)


def test_digest_is_blake2b_as_signed_64_bit() -> None:
    assert digest(b"") == struct.unpack(">q", bytes.fromhex("e4a6a0577479b2b4"))[0]


@pytest.mark.parametrize("changed", [False, True], ids=["as new", "as a change"])
async def test_every_column_keeps_its_exact_value(haul: Haul, changed: bool) -> None:
    if changed:
        await haul.deliver(event(2**63 - 1))
    await haul.deliver(event(2**63 - 1, NOON, **EVERY_COLUMN), at=later(1))
    row = await haul.row()
    expected = EVERY_COLUMN | {name: {"a": 12345678901234567890, "b": None} for name in ("media_urls", "extra")}
    assert {name: row[name] for name in EVENT_VALUE_COLUMNS} == expected
    assert row["external_id"] == 2**63 - 1
    assert row["driver_external_id"] == -(2**63)
    assert row["observed_at"] == later(1)


@pytest.mark.parametrize("changed", [False, True], ids=["as new", "as a change"])
async def test_null_is_not_zero(haul: Haul, changed: bool) -> None:
    zeros = {name: ZEROS[kind] for name, kind in EVENT_COLUMN_TYPES.items() if kind in ZEROS}
    if changed:
        await haul.deliver(event(1, NOON, **zeros), event(2))
    await haul.deliver(event(1), event(2, NOON, **zeros), at=later(1))
    nulls, filled = await haul.rows()
    assert {nulls[name] for name in EVENT_VALUE_COLUMNS} == {None}
    assert {name: filled[name] for name in zeros} == zeros


@pytest.mark.parametrize("external_id", [-(2**63), -1, 0, 2**53 + 1, 2**63 - 1])
async def test_ids_of_64_bits_are_exact(haul: Haul, external_id: int) -> None:
    await haul.deliver(event(external_id))
    assert (await haul.row("SELECT external_id FROM event_keys"))["external_id"] == external_id
    assert (await haul.deliver(event(external_id))).unchanged == 1


async def test_a_page_delivered_again_writes_no_event(haul: Haul) -> None:
    rows = [event(n, NOON, value=float(n)) for n in range(50)]
    assert (await haul.deliver(*rows)).inserted == 50
    before, mark = await haul.rows(VERSIONS), await haul.watermark()
    haul.decoded.clear()
    assert await haul.deliver(*rows, at=later(60)) == result(unchanged=50)
    assert await haul.rows(VERSIONS) == before
    assert (await haul.watermark(), haul.decoded) == (mark, [])


async def test_other_bytes_with_the_same_meaning_write_no_event(haul: Haul) -> None:
    await haul.deliver(event(1, NOON, start_odometer_km=Decimal("1.50"), extra='{"a": 1}'))
    before = await haul.rows(VERSIONS)
    again = await haul.deliver(event(1, NOON, start_odometer_km=Decimal("1.5"), extra='{ "a":1 }'), at=later(60))
    assert again == result(unchanged=1)
    assert await haul.rows(VERSIONS) == before


async def test_a_changed_event_is_updated_once(haul: Haul) -> None:
    await haul.deliver(event(1, NOON, value=1.0), event(2, NOON, value=1.0))
    mark = await haul.watermark()
    assert await haul.deliver(event(1, NOON, value=2.0), event(2, NOON, value=1.0), at=later(60)) == result(
        updated=1, unchanged=1
    )
    assert [row["value"] for row in await haul.rows()] == [2.0, 1.0]
    assert await haul.watermark() == mark + 1
    before = await haul.rows(VERSIONS)
    assert (await haul.deliver(event(1, NOON, value=2.0), at=later(120))).unchanged == 1
    assert await haul.rows(VERSIONS) == before


async def test_an_older_observation_never_overwrites_a_newer_one(haul: Haul) -> None:
    await haul.deliver(event(1, NOON, value=1.0), at=later(0))
    await haul.deliver(event(1, NOON, value=2.0), at=later(60))
    assert await haul.deliver(event(1, NOON, value=3.0), at=later(30)) == result(unchanged=1)
    assert await haul.deliver(event(1, NOON, value=4.0), at=later(60)) == result(unchanged=1)
    assert (await haul.row())["value"] == 2.0
    # The key still tells the stored version from others.
    assert await haul.deliver(event(1, NOON, value=2.0), at=later(90)) == result(unchanged=1)
    assert await haul.deliver(event(1, NOON, value=1.0), at=later(99)) == result(updated=1)


async def test_the_last_of_the_same_id_in_a_page_counts(haul: Haul) -> None:
    twice = [event(1, NOON, value=1.0), event(2), event(1, NOON, value=2.0)]
    assert await haul.deliver(*twice) == result(inserted=2, unchanged=1)
    assert [row["value"] for row in await haul.rows()] == [2.0, None]
    again = [event(1, NOON, value=3.0), event(1, NOON, value=4.0)]
    assert await haul.deliver(*again, at=later(1)) == result(updated=1, unchanged=1)
    assert [row["value"] for row in await haul.rows()] == [4.0, None]


async def test_of_the_same_id_the_last_that_can_be_read_counts(haul: Haul) -> None:
    good, bad = event(1, NOON, value=1.0), event(1, NOON, value=2.0)
    haul.unreadable.add(record(bad).raw)
    assert await haul.deliver(event(1, NOON, value=0.0), good, bad) == result(inserted=1, quarantined=1, unchanged=1)
    assert (await haul.row())["value"] == 1.0


async def test_an_event_that_gets_a_start_time_moves_and_is_not_doubled(haul: Haul) -> None:
    await haul.deliver(event(1, None), event(2, None))
    assert {row["occurred_at"] for row in await haul.rows()} == {NOON}
    # Without a time it stays where it was first seen, however often it changes.
    await haul.deliver(event(1, None, value=1.0), at=later(3600))
    assert {row["occurred_at"] for row in await haul.rows()} == {NOON}
    real = datetime(2026, 9, 3, 4, 5, tzinfo=UTC)
    assert await haul.deliver(event(1, real, started_at=real, value=1.0), at=later(7200)) == result(updated=1)
    where = "SELECT external_id, occurred_at, tableoid::regclass::text AS partition FROM telemetry_events ORDER BY 1"
    moved, other = await haul.rows(where)
    assert (moved["occurred_at"], other["occurred_at"]) == (real, NOON)
    assert moved["partition"] != other["partition"]
    assert (await haul.rows("SELECT occurred_at FROM event_keys ORDER BY external_id"))[0]["occurred_at"] == real
    assert await haul.deliver(event(1, real, started_at=real, value=2.0), at=later(9000)) == result(updated=1)
    # And back, if MiX takes the time away again.
    assert await haul.deliver(event(1, None), at=later(9001)) == result(updated=1)
    assert {row["occurred_at"] for row in await haul.rows()} == {NOON}
    assert len(await haul.rows("SELECT FROM event_keys")) == 2


@pytest.mark.parametrize("year", [1, 1970, 2099, 9999])
async def test_an_event_of_any_year_is_stored(haul: Haul, year: int) -> None:
    odd = datetime(year, 1, 1, tzinfo=UTC)
    await haul.deliver(event(1, odd, started_at=odd))
    assert (await haul.row("SELECT occurred_at FROM telemetry_events_default"))["occurred_at"] == odd
    await haul.deliver(event(1, NOON, started_at=NOON), at=later(1))
    assert (await haul.row())["occurred_at"] == NOON
    assert await haul.rows("SELECT FROM telemetry_events_default") == []


async def test_an_empty_page_moves_the_cursor_and_nothing_else(haul: Haul) -> None:
    mark = await haul.watermark()
    assert await haul.deliver(more=False, at=later(1)) == result()
    cursor = await haul.cursor()
    assert (cursor.token, cursor.token_received_at, cursor.has_more_items) == ("token-1", later(1), False)
    assert (cursor.last_poll_at, cursor.last_data_at, cursor.caught_up_at) == (later(1), None, later(1))
    assert (await haul.rows("SELECT FROM raw_pages"), await haul.watermark()) == ([], mark)


async def test_a_page_with_events_is_kept_byte_for_byte(haul: Haul) -> None:
    body = b'[{"EventId": 1}, \xff]' * 1000
    await haul.deliver(event(1), event(1), at=later(5), body=body, bad=[rejected(None, b"{}")])
    page = await haul.row("SELECT * FROM raw_pages")
    assert zstandard.decompress(page["body"]) == body
    assert (page["requested_token"], page["next_token"], page["has_more_items"]) == ("NEW", "token-1", True)
    assert (page["records"], page["body_bytes"], page["observed_at"]) == (3, len(body), later(5))
    assert (await haul.row("SELECT raw_page_id AS id FROM telemetry_events"))["id"] == page["id"]
    cursor = await haul.cursor()
    assert (cursor.last_data_at, cursor.caught_up_at, cursor.has_more_items) == (later(5), None, True)


async def test_a_page_clears_errors_and_leaves_the_pause_alone(haul: Haul) -> None:
    async with haul.database.connection() as connection:
        await connection.execute(
            "UPDATE etl_control SET not_before = %s, consecutive_errors = 3, last_error = 'x'", (later(99),)
        )
    await haul.deliver(event(1))
    cursor = await haul.cursor()
    assert (cursor.not_before, cursor.consecutive_errors, cursor.last_error) == (later(99), 0, None)


async def test_records_of_the_caller_go_into_quarantine_once(haul: Haul) -> None:
    bad = [rejected(None, b'{"EventId": "x"}', "no id"), rejected(7, b"{7}", "nul \0 here")]
    assert await haul.deliver(event(1), bad=bad) == result(inserted=1, quarantined=2)
    assert await haul.deliver(event(1), bad=[*bad, bad[0]]) == result(unchanged=4)
    kept = await haul.rows("SELECT * FROM quarantined_records ORDER BY id")
    assert [(one["external_id"], one["record"], one["reason"]) for one in kept] == [
        (None, b'{"EventId": "x"}', "no id"),
        (7, b"{7}", "nul � here"),
    ]
    assert {one["raw_page_id"] for one in kept} == {(await haul.rows("SELECT min(id) AS i FROM raw_pages"))[0]["i"]}


async def test_a_record_that_was_bad_and_comes_good_is_stored(haul: Haul) -> None:
    good = event(1, NOON, value=1.0)
    haul.unreadable.add(record(good).raw)
    assert await haul.deliver(good) == result(quarantined=1)
    haul.unreadable.clear()
    assert await haul.deliver(good) == result(inserted=1)


UNSTORABLE: dict[str, dict[str, Any]] = {
    "nul in a text": {"value_units": "a\0b"},
    "lone surrogate": {"value_units": "\ud800"},
    "beyond int4": {"start_heading": 2**31},
    "beyond int8": {"location_external_id": 2**63},
    "wrong type": {"started_at": "no time"},
    "nul in jsonb": {"extra": r'{"a": "\u0000"}'},
    "no json": {"extra": "{"},
}


@pytest.mark.parametrize("columns", UNSTORABLE.values(), ids=UNSTORABLE)
async def test_what_postgresql_refuses_costs_one_record_only(haul: Haul, columns: dict[str, Any]) -> None:
    await haul.deliver(event(100), event(101))
    rows = [event(n, NOON, value=float(n)) for n in range(20)]
    rows[13] = event(13, NOON, **columns)
    rows += [event(100, NOON, **columns), event(101, NOON, value=1.0)]
    assert await haul.deliver(*rows, at=later(1)) == result(inserted=19, updated=1, quarantined=2)
    stored = await haul.rows()
    assert [row["external_id"] for row in stored] == [n for n in range(20) if n != 13] + [100, 101]
    assert [row["value"] for row in stored[-2:]] == [None, 1.0]
    kept = await haul.rows("SELECT external_id, record, reason FROM quarantined_records ORDER BY external_id")
    assert [(one["external_id"], one["record"]) for one in kept] == [
        (13, record(rows[13]).raw),
        (100, record(rows[20]).raw),
    ]
    assert all("a value" in one["reason"] or "PostgreSQL refused" in one["reason"] for one in kept)
    assert (await haul.cursor()).token == haul.token


async def test_a_page_of_nothing_but_bad_records_still_moves_the_cursor(haul: Haul) -> None:
    rows = [event(n, NOON, value_units="\0") for n in range(9)]
    assert await haul.deliver(*rows) == result(quarantined=9)
    assert (await haul.rows(), (await haul.cursor()).token) == ([], haul.token)


async def test_events_with_unknown_names_are_stored_and_reported(haul: Haul) -> None:
    names = {"reported_driver_external_id": 5, "vehicle_external_id": 6, "event_type_external_id": 7}
    assert (await haul.deliver(event(1, NOON, **names))).unknown_references
    async with haul.database.connection() as connection:
        await support.upsert_drivers(connection, haul.organisation_id, [support.Driver(external_id=5)], seen_at=NOON)
        await support.upsert_vehicles(connection, haul.organisation_id, [support.Vehicle(external_id=6)], seen_at=NOON)
    assert (await haul.deliver(event(2, NOON, **names))).unknown_references
    async with haul.database.connection() as connection:
        await support.upsert_event_types(
            connection, haul.organisation_id, [support.EventType(external_id=7)], seen_at=NOON
        )
    assert not (await haul.deliver(event(3, NOON, **names))).unknown_references
    assert not (await haul.deliver(event(4))).unknown_references
    assert len(await haul.rows()) == 4
