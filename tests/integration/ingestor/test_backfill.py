"""Gaps that fill themselves: from a simulator whose feed has lost what its history still has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from faults.bed import Bed, wait_for
from faults.compare import compare
from mixhaul_ingestor import history
from mixhaul_ingestor.backfill import Backfill
from mixhaul_ingestor.backfilling import BACKFILL
from mixhaul_ingestor.jobs import Leading
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_ingestor.wiring import Wiring
from mixhaul_ingestor.work_runner import WorkRunner
from mixhaul_runtime.clock import SystemClock
from mixhaul_source import manifest
from mixhaul_store import gaps, organisations, work
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow
from mixhaul_store.encryption import Cipher
from mixhaul_store.intervals import Interval
from mixhaul_store.organisations import Organisation

SMALL = ("--drivers", "10", "--vehicles", "8", "--organisations", "1", "--event-types", "20")
FAST = ("--requests-per-minute", "600", "--pause-seconds", "1")
DAY = timedelta(days=1)


def rows(bed: Bed, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(bed.url) as connection:
        return connection.execute(query.encode()).fetchall()


def organisation_of(bed: Bed) -> str:
    (one,) = bed.simulator.call("GET", "/control/truth/organisations")["organisations"]
    return str(one["GroupId"])


def all_closed(bed: Bed) -> bool:
    return rows(bed, "SELECT count(*) FILTER (WHERE state = 'open') = 0 AND count(*) > 0 FROM gaps") == [(True,)]


@pytest.mark.parametrize("looks_at", ["start", "creation"])
def test_an_outage_of_eight_days_heals_without_a_hand(bed: Bed, looks_at: str) -> None:
    before = datetime.now(UTC) - 8 * DAY - timedelta(hours=6)
    bed.start_simulator(
        *SMALL, *FAST, "--history-days", "0.2", "--events-per-minute", "0", "--events-per-vehicle-day", "20",
        "--start", before.strftime("%Y-%m-%dT%H:%M:%SZ"), "--history-filter", looks_at,
    )  # fmt: skip
    assert bed.catch_up() == 0
    # During the outage a vehicle uploads what happened twenty days before.
    bed.simulator.call("POST", "/control/clock", {"advanceSeconds": 6 * 3600})
    late = {"organisation": organisation_of(bed), "count": 5, "daysLate": 20}
    bed.simulator.call("POST", "/control/events", late)
    bed.simulator.call("POST", "/control/clock", {"advanceSeconds": 8 * 86400})
    process = bed.start_ingestor()
    wait_for(lambda: all_closed(bed), what="the gap to be closed", seconds=60)
    process.terminate()
    assert process.wait(timeout=10) == 0
    assert bed.catch_up() == 0
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences
    ((cause, whole, error),) = rows(bed, "SELECT cause, filled_up_to = to_time, last_error FROM gaps")
    assert (cause, whole, error) == ("TokenExpired", True, None)
    assert rows(bed, "SELECT count(*) FROM backfill_windows") == [(0,)]
    assert {violation["kind"] for violation in bed.records()["violations"]} <= {"token-expired"}


def test_a_page_that_does_not_come_is_backfilled_and_asked_for_again(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST, "--history-days", "0.1", "--events-per-minute", "0")
    assert bed.catch_up() == 0
    (token,) = rows(bed, "SELECT last_successful_sincetoken FROM etl_control")
    bed.simulator.call("POST", "/control/clock", {"advanceSeconds": 2 * 3600})
    bed.simulator.call("POST", "/control/faults", {"kind": "status-500", "rate": 1.0, "route": "feed"})
    # Our clock stays behind the simulator's: the earlier of the two decides how far a gap goes.
    with psycopg.connect(bed.url) as connection:
        connection.execute(
            "UPDATE etl_control SET last_successful_sincetoken = to_char(%s, 'YYYYMMDDHH24MISS') || '000'",
            (datetime.now(UTC) - timedelta(hours=2),),
        )
    (token,) = rows(bed, "SELECT last_successful_sincetoken FROM etl_control")
    process = bed.start_ingestor(extra={"MIXHAUL_BACKOFF_SECONDS": "0.0001"})
    wait_for(lambda: all_closed(bed), what="the page's interval to be backfilled", seconds=60)
    assert rows(bed, "SELECT cause FROM gaps") == [("PageMissing",)]
    assert rows(bed, "SELECT last_successful_sincetoken FROM etl_control") == [token], "the cursor never jumps"
    process.kill()
    bed.simulator.call("DELETE", "/control/faults")
    assert bed.catch_up() == 0
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences


def test_a_feed_from_now_on_begins_where_it_first_did_also_after_a_kill(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST, "--history-days", "0.1", "--events-per-minute", "0")
    text = bed.simulator.manifest.read_text(encoding="utf-8")
    bed.simulator.manifest.write_text(text.replace("  stream:\n", "  stream:\n    startFrom: Now\n"), encoding="utf-8")
    log = bed.folder / "victims.log"
    # The first two answers are a token and the list of organisations.
    bed.start_ingestor(extra={"VICTIM_POINT": "answer_read", "VICTIM_HIT": "3", "VICTIM_LOG": str(log)}).wait(30)
    assert log.exists()
    assert rows(bed, "SELECT begun_at IS NOT NULL, last_successful_sincetoken FROM etl_control") == [(True, None)]
    made = bed.simulator.call("POST", "/control/events", {"organisation": organisation_of(bed), "count": 7})
    assert made
    assert bed.catch_up() == 0
    assert rows(bed, "SELECT count(*) FROM event_keys") == [(7,)]


@asynccontextmanager
async def leading(bed: Bed) -> AsyncIterator[tuple[Leading, Organisation]]:
    """The leader of the simulator's only organisation, in this process, its feed not begun."""
    settings = IngestorSettings(encryption_keys_file=bed.folder / "keys", transit_seconds=0.5, backoff_seconds=0.01)
    (source,) = manifest.load(bed.simulator.manifest)
    async with Database(bed.url, application_name="mixhaul:test", max_size=8) as database:
        wiring = Wiring(
            database=database, cipher=Cipher.from_file(bed.folder / "keys"), holder="test", settings=settings
        )
        row = LeaderRow(database, holder="test", duration_seconds=600)
        epoch = await row.acquire()
        assert epoch is not None
        organisation = await organisations.claim(
            database, api_url=source.api_url, external_id=int(organisation_of(bed)), source=source.key
        )
        yield (
            Leading(wiring, epoch, SystemClock(), asyncio.Event(), lambda: {source.key: source}),
            organisation,
        )
        await row.release(epoch)


async def book(leader: Leading, organisation: Organisation, start: datetime, end: datetime) -> None:
    async with leader.wiring.database.transaction() as connection:
        await gaps.book(
            connection, organisation_id=organisation.id, feed="events", span=Interval(start, end), cause="test"
        )


async def run_until(leader: Leading, condition: Callable[[], bool], *, jobs: bool = False) -> None:
    """Let backfill run until the condition holds, by itself or for a request, then end it."""
    leader.ending.clear()
    runner = WorkRunner(leader, (BACKFILL,), look_seconds=0.05) if jobs else Backfill(leader, look_seconds=0.05)
    task = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(40):
            while not condition():
                assert not task.done(), task
                await asyncio.sleep(0.02)
    finally:
        leader.ending.set()
        await task


async def test_what_is_too_large_is_read_in_smaller_windows_and_a_part_that_fails_stays_open(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed.start_simulator(
        *SMALL, *FAST, "--history-days", "4", "--events-per-minute", "0", "--events-per-vehicle-day", "15"
    )
    now = datetime.now(UTC)
    # A second that holds more than is taken at once, in the middle of the gap.
    together = (now - 2 * DAY).strftime("%Y-%m-%dT%H:%M:%S")
    burst = {"organisation": organisation_of(bed), "count": 40, "burst": True, "StartDateTime": together}
    bed.simulator.call("POST", "/control/events", burst)
    monkeypatch.setattr("mixhaul_mix.client.MAX_HISTORY_BYTES", 40_000)
    monkeypatch.setattr(history, "ROOM", 15_000)
    async with leading(bed) as (leader, organisation):
        await book(leader, organisation, now - 5 * DAY, now - timedelta(seconds=1))

        def only_the_burst_is_left() -> bool:
            # Whole seconds, both ends counted: it shows in two of them.
            left = rows(bed, "SELECT to_time - from_time FROM backfill_windows")
            return left == [(timedelta(seconds=1),)] * 2

        await run_until(leader, only_the_burst_is_left)
        ((state, filled, error),) = rows(bed, "SELECT state, filled_up_to, last_error FROM gaps")
        assert state == "open"
        assert filled is not None and abs(filled - (now - 3 * DAY)) < timedelta(seconds=3)
        assert "larger than 40000 bytes" in error
        assert compare(bed.simulator.control, bed.url).missing == 40
        monkeypatch.setattr("mixhaul_mix.client.MAX_HISTORY_BYTES", 4_000_000)
        with psycopg.connect(bed.url) as connection:
            connection.execute("UPDATE backfill_windows SET not_before = NULL")
        await run_until(leader, lambda: all_closed(bed))
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences


async def test_a_backfill_that_was_cut_off_goes_on_where_it_was(bed: Bed) -> None:
    bed.start_simulator(
        *SMALL, *FAST, "--history-days", "6", "--events-per-minute", "0", "--events-per-vehicle-day", "15"
    )
    for kind in ("status-503", "truncated-body", "reset-before", "html-200", "status-206", "bom"):
        bed.simulator.call("POST", "/control/faults", {"kind": kind, "rate": 0.15, "route": "history"})
    now = datetime.now(UTC)
    async with leading(bed) as (leader, organisation):
        await book(leader, organisation, now - 6 * DAY, now - timedelta(seconds=1))
        for left in (8, 4):
            await run_until(
                leader,
                lambda left=left: 0 < rows(bed, "SELECT count(*) FROM backfill_windows")[0][0] <= left,  # type: ignore[misc]
            )
            assert not all_closed(bed)
        await run_until(leader, lambda: all_closed(bed))
        report = compare(bed.simulator.control, bed.url)
        assert report.equal, report.differences
        asked = {row[0] for row in rows(bed, "SELECT requested_token FROM raw_pages WHERE feed = 'events:history'")}
        assert len(asked) == rows(bed, "SELECT count(*) FROM raw_pages")[0][0], "no window was read twice"
    keys = rows(bed, "SELECT count(*) FROM event_keys")
    # The feed brings the same afterwards.
    assert bed.catch_up() == 0
    assert rows(bed, "SELECT count(*) FROM event_keys") == keys


def lose(bed: Bed, hours: float) -> int:
    """Delete by hand what happened since so many hours; how many events."""
    with psycopg.connect(bed.url) as connection:
        lost = connection.execute(
            "DELETE FROM telemetry_events WHERE occurred_at > now() - %s * interval '1 hour'", (hours,)
        ).rowcount
        connection.execute("DELETE FROM event_keys WHERE occurred_at > now() - %s * interval '1 hour'", (hours,))
    assert lost > 20
    return lost


def test_the_command_reads_an_interval_once_more_whoever_leads(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST, "--history-days", "1.5", "--events-per-minute", "0")
    assert bed.catch_up() == 0
    lost = lose(bed, 20)
    begin, end = ((datetime.now(UTC) - timedelta(hours=hours)).isoformat() for hours in (21, 0))
    command = ("backfill", "--from", begin, "--to", end)
    by_itself = (*command, "--manifest", str(bed.simulator.manifest))

    planned = bed.run(*by_itself, "--dry-run")
    assert planned.returncode == 0
    assert f"organisation {organisation_of(bed)}".encode() in planned.stdout
    assert rows(bed, "SELECT count(*) FROM work_requests WHERE kind = 'backfill'") == [(0,)]

    # Nobody leads: it does it itself.
    done = bed.run(*by_itself)
    assert done.returncode == 0
    assert f"1 answer: {lost:,} events were new, 0 changed".encode() in done.stdout
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences
    assert b"1 answer: 0 events were new, 0 changed" in bed.run(*by_itself).stdout

    # The leader is asked, from where there is no manifest.
    lost = lose(bed, 5)
    bed.start_ingestor()
    wait_for(lambda: "leading" in bed.log("a"), what="a leader")
    asked = bed.run(*command, "--organisation", organisation_of(bed))
    assert asked.returncode == 0
    assert f"{lost:,} events were new".encode() in asked.stdout
    assert "work ended" in bed.log("a")
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences
    assert bed.run(*command, "--organisation", "5").returncode == 64
    assert bed.records()["violations"] == []


async def test_a_request_goes_on_with_what_is_left_and_says_what_could_not_be_read(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed.start_simulator(
        *SMALL, *FAST, "--history-days", "3", "--events-per-minute", "0", "--events-per-vehicle-day", "15"
    )
    now = datetime.now(UTC)
    together = (now - 2 * DAY).strftime("%Y-%m-%dT%H:%M:%S")
    burst = {"organisation": organisation_of(bed), "count": 40, "burst": True, "StartDateTime": together}
    bed.simulator.call("POST", "/control/events", burst)
    monkeypatch.setattr("mixhaul_mix.client.MAX_HISTORY_BYTES", 40_000)
    monkeypatch.setattr(history, "ROOM", 15_000)

    async with leading(bed) as (leader, organisation):
        interval = {"from": (now - 60 * DAY).isoformat(), "to": (now + DAY).isoformat()}
        for name, parameters in (("bad", {"from": "x"}), ("good", interval)):
            await work.ask(
                leader.wiring.database,
                source=organisation.source,
                request_id=name,
                kind="backfill",
                parameters=parameters,
            )
        await run_until(leader, lambda: rows(bed, "SELECT count(*) FROM raw_pages")[0][0] > 3, jobs=True)
        assert rows(bed, "SELECT request_id, state FROM work_requests ORDER BY id") == [
            ("bad", "failed"),
            ("good", "pending"),
        ]
        over = "SELECT count(*) = 2 FROM work_requests WHERE state = 'failed'"
        await run_until(leader, lambda: rows(bed, over) == [(True,)], jobs=True)
    ((message, progress),) = rows(bed, "SELECT message, progress FROM work_requests WHERE request_id = 'good'")
    assert "2 s could not be read" in message
    assert "larger than 40000 bytes" in message
    report = compare(bed.simulator.control, bed.url)
    assert (report.missing, progress["inserted"]) == (40, report.stored)
    answers = rows(bed, "SELECT count(DISTINCT requested_token), count(*) FROM raw_pages WHERE feed = 'events:history'")
    assert answers[0][0] == answers[0][1], "no window was read twice"
    assert rows(bed, "SELECT count(*) FROM backfill_windows") == [(0,)]
