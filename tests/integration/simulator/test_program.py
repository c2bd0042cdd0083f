"""The command itself, as a process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.simulator.conftest import ACCOUNT, LOGIN, raw_request, running
from mixhaul_simulator import cli
from mixhaul_simulator.times import read_iso

COMMAND = str(Path(sys.executable).parent / "mixhaul-simulator")
TINY = ("--drivers", "3", "--vehicles", "1", "--events-per-minute", "0", "--history-days", "0")


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  (loopback)
        return json.loads(answer.read())


def post(url: str, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request(url, data=data, method="POST"), timeout=10).close()  # noqa: S310


def test_files_manifest_and_a_quick_end(tmp_path: Path) -> None:
    ports, source = tmp_path / "ports.json", tmp_path / "source.yaml"
    files = ("--port-file", str(ports), "--write-manifest", str(source))
    with running(*TINY, *files, "--requests-per-minute", "900", "--pause-seconds", "1.5") as program:
        assert json.loads(ports.read_text()) == program.urls
        mix_source, secret = yaml.safe_load_all(source.read_text())
        assert mix_source["spec"]["endpoint"] == {
            "apiURL": program.urls["url"],
            "identityURL": program.urls["identityUrl"],
            "insecure": True,
        }
        assert mix_source["spec"]["rateLimit"] == {"requestsPerMinute": 900, "pauseSeconds": 2}
        assert secret["stringData"] == {
            "clientID": ACCOUNT.client_id,
            "clientSecret": ACCOUNT.client_secret,
            "username": ACCOUNT.username,
            "password": ACCOUNT.password,
        }
        assert source.stat().st_mode & 0o077 == 0
        fault = json.dumps({"kind": "hang", "count": 1, "route": "organisationgroups"}).encode()
        faults = f"{program.urls['controlUrl']}/control/faults"
        urllib.request.urlopen(faults, data=fault, timeout=10).close()  # noqa: S310  (loopback)
        host, port = program.urls["url"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as hanging:
            hanging.sendall(b"GET /api/organisationgroups HTTP/1.1\r\nHost: x\r\n\r\n")
            while not any(
                call["fault"] == "hang" for call in get(f"{program.urls['controlUrl']}/control/records")["calls"]
            ):
                pass
            program.process.send_signal(signal.SIGTERM)
            assert program.process.wait(timeout=5) == 0


def test_the_manifest_is_one_that_the_product_takes(tmp_path: Path) -> None:
    from mixhaul_source import manifest

    source = tmp_path / "source.yaml"
    with running(*TINY, "--write-manifest", str(source)):
        (loaded,) = manifest.load(source)
    assert loaded.key == "default/simulador"
    assert loaded.credentials.password.get_secret_value() == ACCOUNT.password


def test_resets_and_cuts_on_the_real_loop() -> None:
    body = "&".join(f"{name}={urllib.request.quote(value, safe='')}" for name, value in LOGIN.items())  # type: ignore[attr-defined]
    request = (
        "POST /core/connect/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    faults = [
        f"--fault={json.dumps({'kind': kind, 'count': 1, 'route': 'token'})}"
        for kind in ("reset-mid-body", "truncated-body")
    ]
    with running(*TINY, *faults) as program:
        with pytest.raises(ConnectionResetError):
            raw_request(program.urls["url"], request)
        head, _, rest = raw_request(program.urls["url"], request).partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert 0 < len(rest) < length
        head, _, rest = raw_request(program.urls["url"], request).partition(b"\r\n\r\n")
        assert json.loads(rest)["token_type"] == "Bearer"


def test_a_state_file_continues_the_same_fleet(tmp_path: Path) -> None:
    options = ("--drivers", "3", "--vehicles", "1", "--state-file", str(tmp_path / "state"), "--history-days", "0.5")
    seen = []
    for _ in range(2):
        with running(*options) as program:
            control = program.urls["controlUrl"]
            organisation = get(f"{control}/control/truth/organisations")["organisations"][0]["GroupId"]
            seen.append(get(f"{control}/control/truth/events?organisation={organisation}&limit=40")["events"])
    assert seen[0] == seen[1] and len(seen[0]) == 40
    refused = run(*options, "--seed", "2")
    assert (refused.returncode, "seed 1, not 2" in refused.stderr) == (2, True)


def test_a_fleet_that_stood_still_makes_nothing_for_that_time_when_it_is_continued(tmp_path: Path) -> None:
    options = ("--organisations", "1", "--events-per-minute", "6000", "--state-file", str(tmp_path / "state"))
    seen: list[list[dict[str, Any]]] = []
    for number in range(2):
        with running(*options, "--history-days", "0") as program:
            control = program.urls["controlUrl"]
            organisation = get(f"{control}/control/truth/organisations")["organisations"][0]["GroupId"]
            time.sleep(1)
            if number == 0:
                post(f"{control}/control/generate", {"stop": True})
            seen.append(get(f"{control}/control/truth/events?organisation={organisation}&limit=100000")["events"])
            time.sleep(1)  # what is not made now must not turn up before it when the fleet goes on
    first, second = seen
    assert first and {event["EventId"] for event in first} <= {event["EventId"] for event in second}
    stop, end = json.loads((tmp_path / "state").read_text(encoding="utf-8"))["stops"][0]
    made = [read_iso(event["createdAt"], what="createdAt") for event in second]
    assert len(made) > len(first)
    assert not [each for each in made if stop < each < end]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *options],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


def test_help_names_every_option() -> None:
    text = run("--help").stdout
    for option in ("--seed", "--history-days", "--write-manifest", "--record-only", "--endless", "--fault"):
        assert option in text


def test_what_can_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        cases = {
            ("--port", str(taken.getsockname()[1])): "can't be opened",
            ("--fault", "nonsense=1"): "kind must be one of",
            ("--fault", "hang=often"): "write KIND=RATE",
            ("--fault", "{"): "no JSON",
            ("--write-manifest", str(tmp_path / "nowhere" / "x")): "No such file",
            ("--state-file", str(tmp_path / "state"), "--start", "2026-01-01"): "exclude each other",
        }
        for options, sentence in cases.items():
            monkeypatch.setattr(sys, "argv", ["mixhaul-simulator", *TINY, *options])
            with pytest.raises(SystemExit) as ended:
                cli.main()
            said = capsys.readouterr().err
            assert (ended.value.code, len(said.splitlines()), sentence in said) == (2, 1, True), said
