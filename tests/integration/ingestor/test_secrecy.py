"""No password, token or secret in anything that the processes write, whatever goes wrong.

The planted values are the simulator's nasty ones (quotes, blanks, accents, percent and plus signs); each is looked for
as it is, URL-encoded, in base64, as a Basic header, and JSON-escaped, in logs, metrics, the database's every text and
every command line.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import urllib.request
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg
import yaml

from faults.bed import Bed, wait_for

SMALL = (
    "--drivers", "10", "--vehicles", "8", "--organisations", "3", "--history-days", "0.5", "--events-per-minute", "300",
)  # fmt: skip
TROUBLE = (
    {"kind": "status-500", "rate": 0.05}, {"kind": "html-200", "rate": 0.05}, {"kind": "redirect-login", "rate": 0.05},
    {"kind": "reset-mid-body", "rate": 0.1}, {"kind": "unauthorised-once", "rate": 0.03},
    {"kind": "expires-short", "rate": 0.5},
    {"kind": "token-answer-lost", "rate": 0.2}, {"kind": "truncated-json", "rate": 0.05},
    {"kind": "bad-record", "rate": 0.05},
)  # fmt: skip


def shapes(secret: str, *, user: str) -> set[str]:
    """Every form in which a value might get out."""
    raw = secret.encode()
    found = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    found |= {json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1], repr(raw)[2:-1]}
    for text in (raw, f"{user}:{secret}".encode()):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(text).decode().rstrip("="))
    return found


def everything_written(bed: Bed, metrics: str, command_lines: str) -> dict[str, str]:
    found = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in bed.folder.glob("*.log")}
    found.pop("simulator.log", None)
    found["metrics"], found["command lines"] = metrics, command_lines
    with psycopg.connect(bed.url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in tables.fetchall():
            rows = connection.execute(f'SELECT t::text FROM "{table}" t').fetchall()
            found[f"table {table}"] = "\n".join(row[0] for row in rows)
    return found


def test_nothing_secret_gets_out(bed: Bed) -> None:
    bed.environment["MIXHAUL_LOG_LEVEL"] = "debug"
    bed.start_simulator(*SMALL, "--requests-per-minute", "600", "--pause-seconds", "1")
    secret = next(
        document for document in yaml.safe_load_all(bed.simulator.manifest.read_text(encoding="utf-8"))
        if document["kind"] == "Secret"
    )["stringData"]  # fmt: skip
    for fault in TROUBLE:
        bed.simulator.call("POST", "/control/faults", fault)
    process = bed.start_ingestor()
    wait_for(lambda: len(bed.records()["calls"]) > 40, what="forty calls", seconds=60)
    bed.run("sync", "--manifest", str(bed.simulator.manifest), timeout=120)
    port = re.search(r'"port":\s*(\d+)', bed.log("a"))
    assert port, bed.log("a")[:500]
    with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/metrics", timeout=10) as answer:
        metrics = answer.read().decode()
    command_lines = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode(errors="replace")
    bed.simulator.call("DELETE", "/control/faults")
    bed.simulator.call("POST", "/control/credentials", {"password": "another"})
    bed.simulator.call("POST", "/control/credentials", {"revokeRefreshTokens": True})
    bed.simulator.call("POST", "/control/faults", {"kind": "unauthorised-once", "count": 2})
    wait_for(lambda: "CredentialsRejected" in bed.log("a") or "refused the" in bed.log("a"), what="the refusal")
    bed.run("status")
    bed.run("status", "--json")
    process.kill()
    process.wait()
    tokens = set(bed.simulator.call("GET", "/control/tokens")["tokens"])
    planted = {secret["password"], secret["clientSecret"], *tokens}
    assert len(planted) > 3
    written = everything_written(bed, metrics, command_lines)
    assert "mixhaul_ingest_pages_total" in written["metrics"]
    assert len(written["ingestor-a.log"]) > 1000
    for value in planted:
        for user in (secret["clientID"], secret["username"]):
            for shape in shapes(value, user=user):
                for place, text in written.items():
                    assert shape not in text, f"a planted secret is in {place}"
    # The database's own password is in no log either.
    password = re.search(r"://[^:]+:([^@]+)@", bed.url)
    assert password
    for place, text in written.items():
        assert password[1] not in text, f"the database's password is in {place}"


def test_the_search_finds_what_is_there() -> None:
    """The test above can fail: each shape is found in a text that holds the value in that form."""
    value = 'p"ä ss%+1'
    for text in (
        value, f"x={quote_plus(value)}", json.dumps({"p": value}),
        f"Basic {base64.b64encode(f'u:{value}'.encode()).decode()}",
        repr(value.encode()), f"/{quote(value, safe='')}/",
    ):  # fmt: skip
        assert any(shape in text for shape in shapes(value, user="u")), text


def test_no_secret_is_on_a_command_line() -> None:
    """What the programs take is a file's name or a variable, never a value."""
    done = subprocess.run(
        [str(Path(__import__("sys").executable).parent / "mixhaul-ingestor"), "stream", "--help"],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert not re.search(r"--(password|secret|token|client)", done.stdout)
