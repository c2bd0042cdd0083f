"""`verify` as a person calls it: rows that are deleted by hand are found, counted, filled and explained.

One bed for all of it: a bed costs more than what is tested on it.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from faults.bed import Bed
from faults.compare import compare
from mixhaul_ingestor import commands
from mixhaul_ingestor.errors import EventsMissing
from mixhaul_ingestor.reprocess import moment
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_source import manifest

FLEET = ("--drivers", "10", "--vehicles", "8", "--organisations", "1", "--event-types", "20", "--history-days", "3")
FAST = ("--events-per-minute", "0", "--requests-per-minute", "600", "--pause-seconds", "1")
SUMMED = ("compared", "missing", "filled", "unfilled", "differing", "rewritten", "quarantined")


def rows(bed: Bed, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(bed.url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


class Verify:
    """The command, in this process: to start one each time costs more than what it does."""

    def __init__(self, bed: Bed, capsys: pytest.CaptureFixture[str]) -> None:
        self.bed, self.capsys = bed, capsys
        self.sources = manifest.load(bed.simulator.manifest)
        self.settings = IngestorSettings()
        # Once: midnight may come meanwhile.
        self.first = (datetime.now(UTC) - timedelta(days=5)).date().isoformat()

    def __call__(self, *, unfilled: int = 0) -> dict[str, int]:
        """What it printed, all days together."""
        self.capsys.readouterr()
        work = commands.verify(
            self.settings, self.sources, only_source=None, organisation=None, begin=moment(self.first), end=None,
            as_json=True,
        )  # fmt: skip
        if unfilled:
            with pytest.raises(EventsMissing) as caught:
                asyncio.run(work)
            assert caught.value.number == unfilled
        else:
            asyncio.run(work)
        # Log lines come before it, in this process.
        printed = self.capsys.readouterr().out
        days = json.loads(printed[printed.index("\n[\n") :])
        assert len(days) in (6, 7)
        total = {name: sum(day[name] for day in days) for name in SUMMED}
        for day in days:
            for name, number in day["explanations"].items():
                total[name] = total.get(name, 0) + number
        return {name: number for name, number in total.items() if number}


def test_what_is_missing_is_found_and_filled(
    bed: Bed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bed.start_simulator(*FLEET, *FAST)
    for name, value in bed.env().items():
        monkeypatch.setenv(name, value)
    verify = Verify(bed, capsys)
    assert bed.catch_up() == 0
    # Events of yesterday and the day before: whatever is done to them is within the days that are compared.
    rows(
        bed, "CREATE VIEW picked AS SELECT * FROM event_keys WHERE occurred_at BETWEEN now()::date - 2 AND now()::date"
    )
    everything = rows(bed, f"SELECT count(*) FROM telemetry_events WHERE occurred_at >= '{verify.first}'")[0][0]
    assert verify() == {"compared": everything}
    what_was_deleted_by_hand(bed, verify, everything)
    what_says_something_else(bed, verify, everything)
    what_can_not_be_filled(bed, verify, everything)
    ended = bed.run("verify", "--manifest", str(bed.simulator.manifest), "--from", verify.first)
    assert (ended.returncode, b"nothing is missing" in ended.stdout) == (0, True)
    assert compare(bed.simulator.control, bed.url).equal
    assert bed.records()["violations"] == []


def what_was_deleted_by_hand(bed: Bed, verify: Verify, everything: int) -> None:
    """Seven with their keys, two rows whose keys stay."""
    rows(
        bed,
        """
        WITH gone AS (DELETE FROM event_keys WHERE external_id IN (
                          SELECT external_id FROM picked ORDER BY digest LIMIT 7) RETURNING *)
        DELETE FROM telemetry_events e USING gone
         WHERE (e.external_id, e.occurred_at) = (gone.external_id, gone.occurred_at)
        """,
    )
    rows(
        bed,
        "DELETE FROM telemetry_events WHERE external_id IN ( SELECT external_id FROM picked ORDER BY digest LIMIT 2)",
    )
    assert verify() == {"compared": everything, "missing": 9, "filled": 9, "unexplained": 9}
    assert verify() == {"compared": everything}


def what_says_something_else(bed: Bed, verify: Verify, everything: int) -> None:
    """Three that MiX has changed and the feed has not brought, one of them amended."""
    ids = [
        row[0]
        for row in rows(
            bed,
            "UPDATE event_keys SET digest = digest + 1 WHERE external_id IN ("
            " SELECT external_id FROM picked ORDER BY digest LIMIT 3) RETURNING external_id",
        )
    ]
    # The first is only written in other bytes.
    listed = ", ".join(map(str, ids[1:]))
    rows(bed, f"UPDATE telemetry_events SET value = 12345, event_category = 'x' WHERE external_id IN ({listed})")
    rows(
        bed,
        "INSERT INTO amendments (organisation_id, external_id, amendment_type, raw_page_id, observed_at)"
        f" SELECT id, {ids[1]}, 'QuarantinedEvent', 0, now() FROM organisations",
    )
    assert verify() == {
        "compared": everything, "differing": 2, "rewritten": 1, "amended": 1, "newer version": 1,
    }  # fmt: skip
    # Its digest was not touched, since nothing else was written; and the answer is not kept once more.
    kept = rows(bed, "SELECT count(*) FROM raw_pages")
    assert verify() == {"compared": everything, "rewritten": 1}
    assert rows(bed, "SELECT count(*) FROM raw_pages") == kept
    rows(bed, f"UPDATE event_keys SET digest = digest - 1 WHERE external_id = {ids[0]}")
    rows(bed, "DELETE FROM amendments")


def what_can_not_be_filled(bed: Bed, verify: Verify, everything: int) -> None:
    """A database that swallows an event: it is said, by number and by exit code, until it is there."""
    (lost,) = rows(bed, "SELECT external_id FROM picked ORDER BY digest LIMIT 1")[0]
    rows(
        bed,
        f"""
        DELETE FROM telemetry_events WHERE external_id = {lost};
        DELETE FROM event_keys WHERE external_id = {lost};
        CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.external_id = {lost} THEN RETURN NULL; END IF; RETURN NEW; END $$;
        CREATE TRIGGER swallow BEFORE INSERT ON telemetry_events FOR EACH ROW EXECUTE FUNCTION swallow();
        CREATE TRIGGER swallow BEFORE INSERT ON event_keys FOR EACH ROW EXECUTE FUNCTION swallow()
        """,
    )
    assert verify(unfilled=1) == {"compared": everything, "missing": 1, "unfilled": 1, "unexplained": 1}
    rows(bed, "DROP FUNCTION swallow CASCADE")
    assert verify() == {"compared": everything, "missing": 1, "filled": 1, "unexplained": 1}
