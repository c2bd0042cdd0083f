"""What a real `stream` process exports: the metrics that it moves, in a form that Prometheus takes, and its health."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

import psycopg

from faults.bed import Bed, wait_for
from support.promtool import check_metrics

SMALL = ("--drivers", "10", "--vehicles", "8", "--organisations", "1", "--history-days", "0.2")

EXPORTED = (
    "mixhaul_build_info", "mixhaul_upstream_requests_total", "mixhaul_upstream_request_duration_seconds_bucket",
    "mixhaul_upstream_budget_wait_seconds_bucket", "mixhaul_upstream_budget_used_ratio",
    "mixhaul_token_refreshes_total",
    "mixhaul_credential_expiry_timestamp_seconds", "mixhaul_ingest_pages_total",
    "mixhaul_ingest_page_duration_seconds_bucket", "mixhaul_ingest_events_total",
    "mixhaul_ingest_last_poll_timestamp_seconds", "mixhaul_ingest_last_data_timestamp_seconds",
    "mixhaul_ingest_cursor_timestamp_seconds", "mixhaul_ingest_cursor_expiry_timestamp_seconds",
    "mixhaul_ingest_open_gap_seconds", "mixhaul_leader", "mixhaul_leader_transitions_total",
    "mixhaul_fenced_writes_total", "mixhaul_db_pool_connections", "mixhaul_db_pool_waits_total",
    "mixhaul_db_query_duration_seconds_bucket",
)  # fmt: skip

CURSORS = {f"mixhaul_ingest_{name}_timestamp_seconds" for name in ("cursor", "cursor_expiry", "last_poll", "last_data")}


def get(bed: Bed, path: str, *, name: str = "a") -> tuple[int, str]:
    port = wait_for(lambda: re.search(r'"port":\s*(\d+)', bed.log(name)), what="the admin port")[1]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def names(text: str) -> set[str]:
    return set(re.findall(r"^(mixhaul_[a-z_]+)", text, re.MULTILINE))


def test_a_stream_exports_what_it_does(bed: Bed) -> None:
    bed.start_simulator(
        *SMALL, "--events-per-minute", "300", "--requests-per-minute", "600", "--pause-seconds", "1"
    )  # fmt: skip
    bed.start_ingestor(name="a")
    wait_for(lambda: set(EXPORTED) <= names(get(bed, "/metrics")[1]), what=f"all of {EXPORTED}", seconds=40)
    text = get(bed, "/metrics")[1]
    assert 'mixhaul_leader{lease="ingestor"} 1.0' in text
    assert re.search(r'mixhaul_ingest_events_total\{.*outcome="inserted".*\} [1-9]', text)
    assert (get(bed, "/livez")[0], get(bed, "/readyz")[0]) == (200, 200)
    # A second one waits: it has no series of a feed, frozen or not.
    bed.start_ingestor(name="b")
    wait_for(lambda: 'mixhaul_leader{lease="ingestor"} 0.0' in get(bed, "/metrics", name="b")[1], what="the second one")
    assert "mixhaul_ingest_cursor_timestamp_seconds{" not in get(bed, "/metrics", name="b")[1]
    check_metrics(text)


def test_who_takes_over_in_an_outage_says_how_far_behind_the_feed_is(bed: Bed) -> None:
    bed.start_simulator(
        *SMALL, "--events-per-minute", "300", "--requests-per-minute", "600", "--pause-seconds", "1"
    )  # fmt: skip
    first = bed.start_ingestor(name="a")
    wait_for(lambda: "mixhaul_ingest_cursor_timestamp_seconds{" in get(bed, "/metrics")[1], what="a page", seconds=40)
    bed.simulator.call("POST", "/control/faults", {"kind": "status-503", "rate": 1.0})
    first.kill()
    first.wait()
    bed.start_ingestor(name="b")
    text = wait_for(
        lambda: (found := get(bed, "/metrics", name="b")[1]) and names(found) >= CURSORS and found,
        what="the cursor's series",
        seconds=60,
    )
    assert not re.search(r'mixhaul_ingest_pages_total\{.*result="(data|empty)".*\} [1-9]', text)


def test_it_is_not_ready_without_its_schema(bed: Bed) -> None:

    with psycopg.connect(bed.url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    bed.start_simulator(*SMALL, "--events-per-minute", "0")
    bed.start_ingestor(name="a")
    status, reason = get(bed, "/readyz")
    assert status == 503
    assert "schema" in reason
    assert get(bed, "/livez")[0] == 200
