"""What a person gets who made a mistake: one sentence that names the thing, an exit code, and nothing lost."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import psycopg
import pytest

from faults.bed import program

GOOD = """
apiVersion: mixhaul.io/v1alpha1
kind: MixSource
metadata: {name: fleet}
spec:
  endpoint: {dataCentre: eu}
  secretRef: {name: login}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {clientID: c, clientSecret: s3cr3t, username: u, password: p4ssw0rd}
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("mixhaul-ingestor"), *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], *, code: int, names: tuple[str, ...]) -> None:
    said = [line for line in done.stderr.splitlines() if line.startswith("mixhaul-ingestor: ")]
    assert (done.returncode, len(said)) == (code, 1), done.stderr
    for name in names:
        assert name in said[0]
    assert "Traceback" not in done.stderr + done.stdout
    for secret in ("s3cr3t", "p4ssw0rd"):
        assert secret not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("change", "code", "names"),
    [
        pytest.param(("apiVersion: v1", "{[:"), 65, ("line",), id="no YAML"),
        pytest.param(
            ("name: login}\nstringData", "name: other}\nstringData"), 80, ("Secret", "'login'"), id="no Secret"
        ),
        pytest.param(
            ("secretRef:", "organisationIDs: [9007199254740993]\n  secretRef:"), 78, ("organisationIDs", "quotes"),
            id="an id beyond 2^53 as a number",
        ),
        pytest.param(
            ("secretRef:", "organisationIDs: [12]\n  secretRef:"), 78, ("organisationIDs", "quotes"),
            id="a small id as a number",
        ),
        pytest.param(("secretRef:", "colour: red\n  secretRef:"), 78, ("colour",), id="an unknown field"),
        pytest.param(
            ("secretRef:", "sync: {schedule: hourly-ish}\n  secretRef:"), 78, ("schedule",), id="no cron line"
        ),
        pytest.param(
            ("secretRef:", "sync: {timeZone: Mars/Olympus}\n  secretRef:"), 78, ("timeZone", "Mars/Olympus"),
            id="an unknown time zone",
        ),
        pytest.param(
            ("{dataCentre: eu}", "{apiURL: 'http://x.example', identityURL: 'http://x.example'}"), 78,
            ("http://", "insecure"), id="plain http",
        ),
        pytest.param((", password: p4ssw0rd", ""), 81, ("login", "password"), id="a Secret without a password"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_wrong(tmp_path: Path, change: tuple[str, str], code: int, names: tuple[str, ...]) -> None:
    manifest = tmp_path / "source.yaml"
    assert change[0] in GOOD
    manifest.write_text(GOOD.replace(*change), encoding="utf-8")
    done = run("stream", "--manifest", str(manifest), MIXHAUL_DATA_DIR=str(tmp_path))
    assert_one_sentence(done, code=code, names=(str(manifest), *names))


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    done = run("stream", "--manifest", str(tmp_path / "none.yaml"), MIXHAUL_DATA_DIR=str(tmp_path))
    assert_one_sentence(done, code=66, names=("none.yaml",))


def test_a_database_without_keys_for_the_tokens(tmp_path: Path) -> None:
    manifest = tmp_path / "source.yaml"
    manifest.write_text(GOOD, encoding="utf-8")
    done = run("sync", "--manifest", str(manifest), MIXHAUL_DATABASE_URL="postgresql://u:p4ssw0rd@127.0.0.1:1/x")
    assert_one_sentence(done, code=78, names=("MIXHAUL_ENCRYPTION_KEYS_FILE", "make-key"))


def test_a_database_that_is_away(tmp_path: Path) -> None:
    done = run("status", MIXHAUL_DATABASE_URL="postgresql://u:p4ssw0rd@127.0.0.1:1/x", **_keys(tmp_path))
    assert_one_sentence(done, code=74, names=("127.0.0.1", "MIXHAUL_DATABASE_URL"))


def test_a_database_that_is_no_url(tmp_path: Path) -> None:
    done = run("migrate", MIXHAUL_DATABASE_URL="mysql://u:p4ssw0rd@x/y")
    assert_one_sentence(done, code=74, names=("postgresql://",))


def test_a_database_that_is_read_only(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER ROLE CURRENT_USER SET default_transaction_read_only = on")
        try:
            manifest = tmp_path / "source.yaml"
            manifest.write_text(GOOD, encoding="utf-8")
            done = run("sync", "--manifest", str(manifest), MIXHAUL_DATABASE_URL=database_url, **_keys(tmp_path))
        finally:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE CURRENT_USER RESET default_transaction_read_only")
    assert_one_sentence(done, code=74, names=("read-only",))


def test_a_schema_that_is_newer_than_the_program(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    done = run("status", MIXHAUL_DATABASE_URL=database_url, **_keys(tmp_path))
    assert_one_sentence(done, code=76, names=("9999", "newer"))


def test_a_schema_that_is_not_there_yet(empty_database_url: str, tmp_path: Path) -> None:
    done = run("status", MIXHAUL_DATABASE_URL=empty_database_url, **_keys(tmp_path))
    assert_one_sentence(done, code=76, names=("mixhaul-ingestor migrate",))


def test_a_port_that_is_taken(database_url: str, tmp_path: Path) -> None:
    manifest = tmp_path / "source.yaml"
    manifest.write_text(GOOD, encoding="utf-8")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run(
            "stream", "--manifest", str(manifest), "--no-live",
            MIXHAUL_DATABASE_URL=database_url, MIXHAUL_ADMIN_PORT=port, **_keys(tmp_path),
        )  # fmt: skip
    assert_one_sentence(done, code=69, names=(port, "MIXHAUL_ADMIN_PORT"))


def test_a_source_that_the_manifest_does_not_have(database_url: str, tmp_path: Path) -> None:
    manifest = tmp_path / "source.yaml"
    manifest.write_text(GOOD, encoding="utf-8")
    done = run(
        "sync", "--manifest", str(manifest), "--source", "flota",
        MIXHAUL_DATABASE_URL=database_url, **_keys(tmp_path),
    )  # fmt: skip
    assert_one_sentence(done, code=64, names=("'flota'", "default/fleet"))


def test_a_setting_that_can_not_be_used() -> None:
    done = run("status", MIXHAUL_LEASE_DURATION_SECONDS="soon")
    assert_one_sentence(done, code=78, names=("MIXHAUL_LEASE_DURATION_SECONDS", "soon"))


def _keys(folder: Path) -> dict[str, str]:
    keys = folder / "keys"
    if not keys.exists():
        done = run("make-key", str(keys))
        assert done.returncode == 0, done.stderr
        assert keys.stat().st_mode & 0o777 == 0o600
    return {"MIXHAUL_ENCRYPTION_KEYS_FILE": str(keys)}


def test_the_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("stream", "sync", "migrate", "status", "make-key"):
        assert command in done.stdout
