"""`stream` against the simulator: the cursor, the budget, the login, the change of leaders, the way out."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from faults.bed import Bed, wait_for
from faults.compare import compare, compare_support

SMALL = ("--drivers", "10", "--vehicles", "8", "--organisations", "2", "--event-types", "20")
FAST = ("--requests-per-minute", "600", "--pause-seconds", "1")


def rows(bed: Bed, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(bed.url) as connection:
        return connection.execute(query.encode()).fetchall()


def stored(bed: Bed) -> int:
    return int(rows(bed, "SELECT count(*) FROM event_keys")[0][0])


def test_a_fleet_is_hauled_whole_and_only_once(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST, "--history-days", "1", "--events-per-minute", "0")
    assert bed.run("sync", "--manifest", str(bed.simulator.manifest)).returncode == 0
    assert bed.catch_up() == 0
    assert bed.catch_up() == 0
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences
    assert report.stored > 500
    assert bed.records()["violations"] == []
    support = compare_support(bed.simulator.control, bed.url)
    assert support.equal, support.differences
    assert support.stored > 50


def test_the_cursor_moves_only_to_tokens_that_mix_gave_also_over_empty_pages(bed: Bed) -> None:
    with psycopg.connect(bed.url) as connection:
        connection.execute(
            """
            CREATE TABLE seen_tokens (token text, at timestamptz DEFAULT clock_timestamp());
            CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO seen_tokens (token) VALUES (NEW.last_successful_sincetoken); RETURN NEW; END $$;
            CREATE TRIGGER see AFTER INSERT OR UPDATE OF last_successful_sincetoken ON etl_control
                FOR EACH ROW WHEN (NEW.last_successful_sincetoken IS NOT NULL) EXECUTE FUNCTION see()
            """
        )
    bed.start_simulator(
        *SMALL, *FAST, "--history-days", "0.3", "--events-per-minute", "0", "--token-style", "opaque"
    )  # fmt: skip
    bed.simulator.call("POST", "/control/faults", {"kind": "empty-page-more", "rate": 0.3})
    process = bed.start_ingestor()
    wait_for(
        lambda: sum(call["records"] == 0 and call["tokenGiven"] is not None for call in bed.records()["calls"]) >= 6,
        what="six empty pages",
    )
    process.terminate()
    assert process.wait(timeout=10) == 0
    assert bed.catch_up() == 0
    seen = {token for (token,) in rows(bed, "SELECT token FROM seen_tokens")}
    calls = [call for call in bed.records()["calls"] if call["route"] == "feed"]
    given = {call["tokenGiven"] for call in calls}
    empty = {call["tokenGiven"] for call in calls if call["records"] == 0}
    assert len(seen) > 3
    assert seen <= given
    assert seen & empty, "an empty page moves the cursor too"
    assert bed.records()["violations"] == []


def test_two_ingestors_and_a_sync_share_one_budget_and_one_login(bed: Bed) -> None:
    bed.start_simulator(
        *SMALL, "--history-days", "3", "--events-per-minute", "600", "--expires-in", "62",
        "--requests-per-minute", "20", "--pause-seconds", "2", "--record-only",
    )  # fmt: skip
    bed.start_ingestor(name="a")
    bed.start_ingestor(name="b")
    sync = bed.run("sync", "--manifest", str(bed.simulator.manifest), timeout=100)
    assert sync.returncode == 0

    def enough() -> bool:
        records = bed.records()
        feeds = {call["organisation"] for call in records["calls"] if call["route"] == "feed"}
        return len(feeds) == 2 and len(records["calls"]) > 30 and len(records["refreshes"]) >= 1

    wait_for(enough, what="calls of both organisations and a refresh", seconds=60)
    records = bed.records()
    assert records["violations"] == []
    assert len(records["logins"]) == 1
    assert sum("leading" in bed.log(name) for name in "ab") == 1


@pytest.mark.parametrize(
    ("point", "hit"),
    [("token_intent", 1), ("request_sent", 2), ("keys_copied", 2), ("rows_copied", 2), ("before_commit", 2)],
)
def test_a_leader_that_stands_still_is_followed_and_can_not_commit(bed: Bed, point: str, hit: int) -> None:
    bed.start_simulator(*SMALL, *FAST, "--history-days", "2", "--events-per-minute", "600")
    log = bed.folder / "victims.log"
    stopped = bed.start_ingestor(
        name="a", extra={"VICTIM_POINT": point, "VICTIM_HIT": str(hit), "VICTIM_ACTION": "stop", "VICTIM_LOG": str(log)}
    )
    wait_for(log.exists, what=f"the leader at {point}")
    before = stored(bed)
    bed.start_ingestor(name="b")
    wait_for(lambda: stored(bed) > before, what="pages of the new leader", seconds=20)
    ((epoch, holder),) = rows(bed, "SELECT epoch, holder FROM leader_epochs")
    assert holder.startswith("b-")
    stopped.send_signal(signal.SIGCONT)
    wait_for(lambda: "no longer leading" in bed.log("a") or stopped.poll() is not None, what="the old leader to notice")
    time.sleep(0.5)
    assert rows(bed, "SELECT epoch, holder FROM leader_epochs") == [(epoch, holder)]
    for process in bed.running[1:]:
        process.kill()
        process.wait()
    assert bed.catch_up() == 0
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences
    assert bed.records()["violations"] == []


def test_a_leader_killed_after_no_more_leaves_the_pause_behind(bed: Bed) -> None:
    bed.start_simulator(
        *SMALL[:4], "--organisations", "1", "--requests-per-minute", "600", "--pause-seconds", "4", "--record-only",
        "--history-days", "0.05", "--events-per-minute", "0",
    )  # fmt: skip
    assert bed.run("sync", "--manifest", str(bed.simulator.manifest)).returncode == 0  # and the login is there
    with psycopg.connect(bed.url) as connection:
        # Amendments are read for today: the leader has no other answer to wait for than those that are counted here.
        connection.execute(
            "INSERT INTO late_truth (organisation_id, amendments_from, amendments_up_to, amendments_read_at)"
            " SELECT id, now()::date - 6, now()::date, now() FROM organisations"
        )
    log = bed.folder / "victims.log"
    # The first answer of a process is the list of organisations.
    for point, hit in (("answer_read", "2"), ("before_commit", "1"), ("after_commit", "1")):
        log.unlink(missing_ok=True)
        bed.start_ingestor(
            name=point.replace("_", "-"), extra={"VICTIM_POINT": point, "VICTIM_LOG": str(log), "VICTIM_HIT": hit}
        ).wait(timeout=30)
        assert log.exists()
    calls = [call for call in bed.records()["calls"] if call["route"] == "feed"]
    last = [call["hasMore"] for call in calls]
    assert last.count(False) >= 3, "each was killed after a page that was the last"
    assert bed.records()["violations"] == []


def test_a_dead_cursor_is_a_gap_before_the_stream_goes_on(bed: Bed) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=9)
    bed.start_simulator(
        *SMALL, *FAST, "--history-days", "0.2", "--events-per-minute", "0", "--events-per-vehicle-day", "20",
        "--start", long_ago.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )  # fmt: skip
    # The only token that we make is one of the oldest: the simulator's clock is nine days behind ours.
    assert bed.catch_up() == 0
    tokens = dict(rows(bed, "SELECT organisation_id, last_successful_sincetoken FROM etl_control"))
    assert len(tokens) == 2
    assert rows(bed, "SELECT count(*) FROM gaps")[0][0] == 0
    bed.simulator.call("POST", "/control/clock", {"advanceSeconds": 9 * 86400})
    assert bed.catch_up() == 0
    gaps = rows(bed, "SELECT organisation_id, from_time, to_time, cause, state FROM gaps ORDER BY organisation_id")
    assert [gap[0] for gap in gaps] == sorted(tokens)
    for organisation, begin, end, cause, state in gaps:
        # By the time that the feed has caught up, it may be filled already.
        assert (cause, state in ("open", "closed")) == ("TokenExpired", True)
        died = datetime.strptime(tokens[organisation], "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
        assert begin == died
        assert abs(end - (datetime.now(UTC) - timedelta(days=7))) < timedelta(minutes=30)
    ids = {key for (key,) in rows(bed, "SELECT external_id FROM event_keys")}
    first_of = {organisation: end for organisation, _, end, _, _ in gaps}
    missing = [
        event
        for row in bed.simulator.call("GET", "/control/truth/organisations")["organisations"]
        for event in bed.simulator.call("GET", f"/control/truth/events?organisation={row['GroupId']}&limit=5000")[
            "events"
        ]
        if int(event["EventId"]) not in ids
    ]
    for event in missing:
        created = datetime.fromisoformat(event["createdAt"])
        assert any(begin <= created <= first_of[organisation] for organisation, begin, *_ in gaps), (
            "whatever is missing lies in a gap that is written down"
        )
    kinds = {violation["kind"] for violation in bed.records()["violations"]}
    assert kinds <= {"token-expired"}


def test_a_wrong_password_is_tried_once_and_said_in_one_sentence(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST)
    bed.simulator.call("POST", "/control/credentials", {"password": "another"})
    manifest = str(bed.simulator.manifest)
    for _ in range(3):
        done = bed.run("stream", "--manifest", manifest, "--no-live", "--until-caught-up")
        assert done.returncode == 77
    assert bed.run("sync", "--manifest", manifest).returncode == 77
    assert len(bed.records()["logins"]) == 1
    assert "user name or password" in (bed.folder / "commands.log").read_text(encoding="utf-8")


def test_a_revoked_client_is_named(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST)
    bed.simulator.call("POST", "/control/credentials", {"revokeClient": True})
    assert bed.run("sync", "--manifest", str(bed.simulator.manifest)).returncode == 77
    assert "client id or client secret" in (bed.folder / "commands.log").read_text(encoding="utf-8")


def test_an_organisation_that_the_login_can_not_see_stops_nobody_else(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST, "--history-days", "0.2", "--events-per-minute", "0")
    organisations = bed.simulator.call("GET", "/control/truth/organisations")["organisations"]
    ids = [row["GroupId"] for row in organisations]
    text = bed.simulator.manifest.read_text(encoding="utf-8")
    bed.simulator.manifest.write_text(
        text.replace("spec:\n", f"spec:\n  organisationIDs: ['{ids[0]}', '{ids[1]}']\n", 1), encoding="utf-8"
    )
    bed.simulator.call("POST", "/control/organisations", {"organisation": ids[0], "forbidden": True})
    assert bed.catch_up() == 79
    by_organisation = dict(
        rows(bed, "SELECT o.external_id::text, count(k.*) FROM organisations o"
                  " LEFT JOIN event_keys k ON k.organisation_id = o.id GROUP BY 1")
    )  # fmt: skip
    assert by_organisation[ids[0]] == 0
    assert by_organisation[ids[1]] > 0
    assert f"organisation {ids[0]}" in (bed.folder / "commands.log").read_text(encoding="utf-8")


def test_sigterm_ends_with_the_page_committed_or_not_begun(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST, "--history-days", "3", "--events-per-minute", "600")
    process = bed.start_ingestor()
    wait_for(lambda: stored(bed) > 0, what="the first page")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    pages = sum(call["route"] == "feed" and call["status"] == 200 for call in bed.records()["calls"])
    ((committed,),) = rows(bed, "SELECT count(*) FROM raw_pages")
    assert committed == pages, "no answer was thrown away"
    ((renewed,),) = rows(bed, "SELECT renewed_at::text FROM leader_heartbeats")
    assert renewed == "-infinity", "the next one may lead at once"


def test_events_that_name_unknown_rows_are_stored_and_the_lists_fetched(bed: Bed) -> None:
    bed.start_simulator(*SMALL, *FAST, "--history-days", "0.2", "--events-per-minute", "60")
    bed.start_ingestor()
    wait_for(lambda: stored(bed) > 0, what="events without a sync")
    wait_for(lambda: rows(bed, "SELECT count(*) FROM drivers")[0][0] > 0, what="the lists that the stream asked for")
    assert rows(bed, "SELECT kind, state FROM work_requests")[0][0] == "sync"
