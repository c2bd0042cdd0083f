"""What is left when the data of a source was deleted: nothing of it, all of everybody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from mixhaul_store import deletion, organisations, tokens
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow
from mixhaul_store.encryption import Cipher
from mixhaul_store.errors import CursorMoved, DeletionUnderWay, OrganisationClaimed, StaleEpoch
from mixhaul_store.organisations import Organisation
from support.store_haul import NOON, Haul, event, later, rejected

URL = "https://integrate.example"
OURS, THEIRS = "fleet/mix", "fleet/other"


async def claim(
    database: Database, number: int, *, source: str = OURS, uid: str | None = "u-1", name: str | None = None
) -> Organisation:
    return await organisations.claim(
        database, api_url=URL, external_id=number, source=source, source_uid=uid, name=name
    )


async def filled(haul: Haul, number: int, *, source: str = OURS, uid: str = "u-1") -> Haul:
    """An organisation with something in every table that a haul fills."""
    made = await claim(haul.database, number, source=source, uid=uid, name="Frota")
    one = Haul(haul.database, made.id, haul.epoch)
    await one.cursor()
    await one.deliver(*[event(n, NOON, value=1.0) for n in range(25)], event(99, None), bad=[rejected(None, b"x")])
    await one.deliver(*[event(n, later(-86400 * 40 * n)) for n in range(30, 40)])
    values = {"id": made.id, "source": source}
    async with haul.database.connection() as connection:
        for statement in (
            "INSERT INTO drivers (organisation_id, external_id, name) SELECT %(id)s, n, 'Zé ' || n"
            " FROM generate_series(1, 9) n",
            "INSERT INTO vehicles (organisation_id, external_id) VALUES (%(id)s, 1)",
            "INSERT INTO event_types (organisation_id, external_id) VALUES (%(id)s, 1)",
            "INSERT INTO gaps (organisation_id, feed, from_time, to_time, cause)"
            " VALUES (%(id)s, 'events', now() - interval '1 day', now(), 'TokenExpired')",
            "INSERT INTO sync_runs (source, organisation_id, reason) VALUES (%(source)s, %(id)s, 'r'),"
            " (%(source)s, NULL, 'r')",
            "INSERT INTO amendments (organisation_id, external_id, amendment_type, raw_page_id, observed_at)"
            " VALUES (%(id)s, 1, 'QuarantinedEvent', 1, now())",
            "INSERT INTO erasures (organisation_id, driver_external_id, requested_by, request_id)"
            " VALUES (%(id)s, 3, 'a', 'r')",
            "INSERT INTO upstream_totals (source, metric) VALUES (%(source)s, 'm') ON CONFLICT DO NOTHING",
            "INSERT INTO audit_log (organisation_id, actor, action) VALUES (%(id)s, 'a', 'b')",
        ):
            await connection.execute(statement.encode(), values)
    return one


async def left_of(database: Database, organisation_id: int) -> dict[str, int]:
    """Rows of the organisation, by table: whatever table has an organisation_id."""
    found: dict[str, int] = {}
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_name)"
            " WHERE column_name = 'organisation_id' AND table_type = 'BASE TABLE'"
        )
        for (table,) in await cursor.fetchall():
            row = await (
                await connection.execute(
                    f"SELECT count(*) FROM {table} WHERE organisation_id = %s".encode(), (organisation_id,)
                )
            ).fetchone()
            if row and row[0]:
                found[table] = row[0]
    return found


async def delete(haul: Haul, *, source: str = OURS, uid: str = "u-1", **options: Any) -> deletion.Deleted:
    return await deletion.delete_source(
        haul.database, source=source, uid=uid, epoch=haul.epoch, batch=7, pause_seconds=0, **options
    )


async def credentials(haul: Haul) -> list[str]:
    return [row["username"] for row in await haul.rows("SELECT username FROM api_credentials ORDER BY 1")]


@pytest.fixture
async def logins(haul: Haul) -> AsyncIterator[None]:
    """`shared` is used by both sources, the others by one each."""
    for user, source in (("alone", OURS), ("shared", OURS), ("shared", THEIRS), ("other", THEIRS)):
        store = tokens.PostgresTokenStore(
            haul.database,
            identity_url="https://identity",
            client_id="c",
            username=user,
            revision="r",
            cipher=Cipher([Fernet.generate_key()]),
            holder="h",
            source=source,
        )
        await store.load()
    yield


async def test_nothing_of_it_is_left_and_everything_of_others(haul: Haul, logins: None) -> None:
    first, second = await filled(haul, 1), await filled(haul, 2)
    other = await filled(haul, 3, source=THEIRS, uid="u-2")
    before = await left_of(haul.database, other.organisation_id)
    assert {"telemetry_events", "event_keys", "raw_pages", "drivers", "driver_words", "gaps"} <= before.keys()
    told: list[int] = []

    async def progress(rows: int) -> None:
        told.append(rows)

    done = await delete(haul, progress=progress)
    # The one without an uid is from before there were any.
    assert done.organisations == 3
    assert done.rows == told[-1] > 100
    for one in (first, second):
        assert await left_of(haul.database, one.organisation_id) == {"audit_log": 1}
    assert [row["external_id"] for row in await haul.rows("SELECT external_id FROM organisations")] == [3]
    assert await left_of(haul.database, other.organisation_id) == before
    assert await credentials(haul) == ["other", "shared"]
    assert [row["source"] for row in await haul.rows("SELECT DISTINCT source FROM sync_runs")] == [THEIRS]
    assert [row["source"] for row in await haul.rows("SELECT source FROM upstream_totals")] == [THEIRS]
    assert (await delete(haul)).organisations == 0


async def test_what_was_claimed_meanwhile_is_not_touched(haul: Haul, logins: None) -> None:
    """By the source that was made again under the same name; and by nobody's mistake an organisation of another."""
    again, gone = await filled(haul, 1), await filled(haul, 2)
    before = await left_of(haul.database, again.organisation_id)
    assert (await claim(haul.database, 1, uid="u-9")).id == again.organisation_id
    await delete(haul, others=True)
    assert await left_of(haul.database, again.organisation_id) == before
    assert await left_of(haul.database, gone.organisation_id) == {"audit_log": 1}
    assert await credentials(haul) == ["alone", "other", "shared"]
    cursor = await again.cursor()
    assert cursor.token == again.token, "a source that is made again goes on where the one before it stopped"
    assert (await again.deliver(event(1000))).inserted == 1


async def test_nobody_writes_while_it_is_deleted_and_the_next_claim_waits(
    haul: Haul, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off in the middle: what still runs finds nothing to write to; taken up again, it comes to its end."""
    one = await filled(haul, 1)

    class CutOff(Exception):
        pass

    async def progress(rows: int) -> None:
        if rows > 40:
            raise CutOff

    with pytest.raises(CutOff):
        await delete(haul, progress=progress)
    left = await left_of(haul.database, one.organisation_id)
    assert left.get("telemetry_events", 0) == 0
    assert left["vehicles"] == 1
    with pytest.raises(CursorMoved):
        await one.deliver(event(1))
    one.token = None
    with pytest.raises(CursorMoved):
        await one.deliver(event(1))
    for uid, source in (("u-1", OURS), ("u-9", OURS), ("u-2", THEIRS)):
        with pytest.raises(DeletionUnderWay):
            await claim(haul.database, 1, uid=uid, source=source)
    await delete(haul)
    assert await left_of(haul.database, one.organisation_id) == {"audit_log": 1}
    fresh = await claim(haul.database, 1, uid="u-9")
    assert fresh.id != one.organisation_id


async def test_calls_that_count_outlive_the_data(haul: Haul) -> None:
    """MiX counts the calls of an organisation, whatever it is called here."""
    one = await filled(haul, 1)
    async with haul.database.connection() as connection:
        await connection.execute(
            "INSERT INTO request_budgets (key) VALUES (%s) RETURNING id", (f"organisation:{one.organisation_id}",)
        )
        await connection.execute(
            "INSERT INTO request_permits (budget_id, priority, holder, granted_at, frees_at)"
            " SELECT id, 'feed', 'h', now(), now() + interval '1 minute' FROM request_budgets"
        )
        await connection.execute("UPDATE etl_control SET not_before = now() + interval '30 seconds'")
    await delete(haul)
    assert await left_of(haul.database, one.organisation_id) == {"audit_log": 1, "etl_control": 1, "erasures": 1}
    assert await deletion.sweep(haul.database, epoch=haul.epoch) == 0
    again = await claim(haul.database, 1, uid="u-2", source=THEIRS)
    assert (again.id, again.source, again.name) == (one.organisation_id, THEIRS, None)
    cursor = await one.cursor()
    assert cursor.token is None
    assert cursor.not_before is not None
    one.token = None
    assert (await one.deliver(event(5))).inserted == 1, "it is as new"
    await delete(haul, source=THEIRS, uid="u-2")
    async with haul.database.connection() as connection:
        await connection.execute("DELETE FROM request_permits")
    assert await deletion.sweep(haul.database, epoch=haul.epoch) == 1


async def test_a_life_that_is_to_be_deleted_claims_nothing_any_more(haul: Haul) -> None:
    async with haul.database.connection() as connection:
        await connection.execute(
            "INSERT INTO work_requests (source, request_id, kind) VALUES (%s, 'delete:u-1', 'delete')", (OURS,)
        )
    with pytest.raises(DeletionUnderWay):
        await claim(haul.database, 50)
    assert (await claim(haul.database, 50, uid="u-2")).source == OURS
    with pytest.raises(OrganisationClaimed):
        await claim(haul.database, 50, source=THEIRS, uid="u-3")


async def test_a_former_leader_deletes_nothing(haul: Haul) -> None:
    one = await filled(haul, 1)
    before = await left_of(haul.database, one.organisation_id)
    await LeaderRow(haul.database, holder="leader-2", duration_seconds=15).acquire(force=True)
    with pytest.raises(StaleEpoch):
        await delete(haul)
    assert await left_of(haul.database, one.organisation_id) == before
