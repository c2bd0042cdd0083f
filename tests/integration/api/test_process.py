"""The program as a whole: start, probes, metrics, logs, a database that goes away, the end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mixhaul_store.schema import migrate
from support.api_data import DRIVER, ORGANISATION_A
from support.api_server import PROGRAM, ApiProcess, environment, running, token
from support.postgres import Server, running_server

NOBODY = "postgresql://u:planted-password@127.0.0.1:1/x"


def authorized(key_file: Path, role: str = "reader") -> dict[str, str]:
    return {"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A), role=role)}"}


def eventually(check: Any) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 30
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_is_unready_until_the_schema_is_there_and_then_answers(empty_database_url: str, key_file: Path) -> None:
    with running(ready=False, database_url=empty_database_url, jwt_key_file=str(key_file)) as api:
        eventually(lambda: "mixhaul-ingestor migrate" in api.readiness().text)
        assert api.readiness().status_code == 503
        answer = httpx.get(f"{api.url}/api/status", headers=authorized(key_file))
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:mixhaul:problem:unavailable"
        assert int(answer.headers["retry-after"]) > 0
        assert httpx.get(f"{api.admin_url}/livez").status_code == 200
        migrate(empty_database_url)
        api.wait_for("ready")
        assert api.readiness().status_code == 200
        assert httpx.get(f"{api.url}/api/status", headers=authorized(key_file)).json() == {"items": []}


def test_it_answers_503_while_the_database_is_away_and_goes_on_when_it_is_back(key_file: Path) -> None:
    with (
        running_server() as server,
        server.database() as url,
        running(database_url=url, jwt_key_file=str(key_file)) as api,
    ):
        headers = authorized(key_file)
        assert httpx.get(f"{api.url}/api/status", headers=headers).status_code == 200
        server.embedded.stop()
        answer = httpx.get(f"{api.url}/api/drivers", headers=headers, timeout=20)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "127.0.0.1" not in answer.text
        assert httpx.get(f"{api.url}/api/drivers/x", headers=headers, timeout=20).status_code == 400
        assert api.process.poll() is None
        server.embedded.start()
        eventually(lambda: httpx.get(f"{api.url}/api/drivers", headers=headers, timeout=20).status_code == 200)


def test_it_starts_while_the_database_is_away_and_tells_no_secret(key_file: Path) -> None:
    with running(ready=False, database_url=NOBODY, jwt_key_file=str(key_file)) as api:
        eventually(lambda: "can't be reached" in api.readiness().text)
        answer = httpx.get(f"{api.url}/api/drivers", headers=authorized(key_file))
        assert answer.status_code == 503
        assert httpx.get(f"{api.url}/docs").status_code == 200
        written = "".join(api.lines) + api.readiness().text + answer.text
    assert "planted-password" not in written
    assert "planted-static-key" not in written


def test_the_metrics_count_requests_by_template(api: ApiProcess, client: Any) -> None:
    def count(**labels: str) -> float:
        text = httpx.get(f"{api.admin_url}/metrics").text
        samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        found.update(name for name, _ in samples)
        assert str(DRIVER) not in text
        return samples.get(("mixhaul_api_requests_total", tuple(sorted(labels.items()))), 0)

    found: set[str] = set()
    route = {"route": "/api/drivers/{driverId}", "method": "GET"}
    before = count(**route, code="200"), count(**route, code="400"), count(route="(none)", method="OTHER", code="405")
    client(ORGANISATION_A).get(f"/api/drivers/{DRIVER}")
    client(ORGANISATION_A).get("/api/drivers/x")
    client(ORGANISATION_A, checked=False).request("FROBNICATE", "/api/drivers")
    after = count(**route, code="200"), count(**route, code="400"), count(route="(none)", method="OTHER", code="405")
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]
    assert found >= {
        "mixhaul_api_request_duration_seconds_bucket",
        "mixhaul_api_requests_in_progress",
        "mixhaul_build_info",
        "mixhaul_db_pool_connections",
        "mixhaul_db_pool_waits_total",
        "mixhaul_db_query_duration_seconds_count",
    }


def test_a_requests_log_line_has_its_route_and_id_and_nothing_personal(api: ApiProcess, client: Any) -> None:
    client(ORGANISATION_A, subject="maria@fleet.example").get(
        f"/api/drivers/{DRIVER}/infractions?timeZone=America/Bahia", headers={"X-Request-ID": "look-for-me"}
    )
    client(ORGANISATION_A, subject="maria@fleet.example").get("/api/drivers?search=Particular")

    def lines() -> list[dict[str, Any]]:
        return [line for line in api.logged("request") if line["request_id"] == "look-for-me"]

    eventually(lines)
    (line,) = lines()
    assert line.items() >= {"method": "GET", "route": "/api/drivers/{driverId}/infractions", "status": 200}.items()
    written = "".join(api.lines)
    for private in ("Particular", "America/Bahia", "maria@", str(DRIVER), "eyJ"):
        assert private not in written


def test_the_docs_page_loads_nothing_from_elsewhere(api: ApiProcess) -> None:
    page = httpx.get(f"{api.url}/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "'self'" in page.headers["content-security-policy"]
    assert not re.search(r"https?:|//", page.text)
    wanted = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(wanted) == 4
    for name in wanted:
        asset = httpx.get(httpx.URL(f"{api.url}/docs").join(name)).raise_for_status()
        assert len(asset.content) > 100
        assert asset.headers["x-content-type-options"] == "nosniff"
    start = httpx.get(f"{api.url}/docs/start.js").text
    assert '"openapi.json"' in start
    assert httpx.get(f"{api.url}/openapi.json").json()["openapi"].startswith("3.1")
    assert httpx.get(f"{api.url}/docs/other.js").status_code == 404


@pytest.mark.parametrize("which", ["api_port", "admin_port"])
def test_a_taken_port_is_one_sentence(fleet: Any, key_file: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = serve(database_url=fleet.url, jwt_key_file=str(key_file), **{which: port})
    assert ended.returncode == 69
    assert re.search(rf"mixhaul-api: the .*port {port} .*(in use).*MIXHAUL_{which.upper()}", ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    ("settings", "code", "sentence"),
    [
        ({}, 78, "neither a static key nor"),
        ({"jwt_jwks_url": "https://login.example/keys"}, 78, "MIXHAUL_JWT_ISSUER"),
        ({"api_port": "65536", "jwt_key_file": "KEY"}, 78, "MIXHAUL_API_PORT"),
        ({"api_host": "no.such.host.example", "jwt_key_file": "KEY"}, 69, "no.such.host.example"),
        ({"database_url": "mysql://planted-password@x/y", "jwt_key_file": "KEY"}, 74, "MIXHAUL_DATABASE_URL"),
    ],
    ids=str,
)
def test_settings_that_can_not_be_used_are_one_sentence(
    key_file: Path, settings: dict[str, str], code: int, sentence: str
) -> None:
    given = {"database_url": NOBODY, "api_port": "0"} | settings
    ended = serve(**{name: str(key_file) if value == "KEY" else value for name, value in given.items()})
    assert (ended.returncode, ended.stderr.count("\n")) == (code, 1), ended.stderr + ended.stdout
    assert sentence in ended.stderr
    assert "planted-password" not in ended.stderr + ended.stdout


def test_a_newer_schema_ends_the_program(postgres_server: Server, key_file: Path) -> None:
    with postgres_server.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        ended = serve(database_url=url, jwt_key_file=str(key_file), api_port="0")
    assert ended.returncode == 76
    assert "newer than this program" in ended.stderr


def serve(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, "serve"], env=environment(**settings), capture_output=True, text=True, timeout=60)


def test_an_end_answers_what_was_begun_and_takes_nothing_new(fleet: Any, key_file: Path) -> None:
    headers = authorized(key_file, role="admin")
    answers: list[httpx.Response] = []
    with running(database_url=fleet.url, jwt_key_file=str(key_file)) as api:
        where = urlsplit(api.url)
        path = f"{api.url}/api/event-types/1"
        with (
            psycopg.connect(fleet.url) as blocker,
            socket.create_connection((where.hostname, where.port)) as idle,
        ):
            blocker.execute("LOCK TABLE event_types IN ACCESS EXCLUSIVE MODE")
            thread = threading.Thread(
                target=lambda: answers.append(
                    httpx.patch(path, json={"isInfraction": True}, headers=headers, timeout=20)
                )
            )
            thread.start()
            eventually(lambda: fleet.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
            api.process.send_signal(signal.SIGTERM)
            idle.settimeout(20)
            assert idle.recv(1) == b""
            eventually(lambda: refused(where.hostname or "", where.port or 0))
            assert api.process.poll() is None
        thread.join(20)
        assert api.process.wait(20) == 0
    assert answers[0].status_code == 404
    assert answers[0].headers["connection"] == "close"


def refused(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
