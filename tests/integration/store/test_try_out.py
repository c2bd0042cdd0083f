"""The PostgreSQL that the chart's `postgresql.tryOut` runs: as a process, asked as the other pods ask it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from mixhaul_store.schema import HEAD, migrate
from support.postgres import reachable_folder

pytestmark = pytest.mark.postgres


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as made:
        yield made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def program(folder: Path, password: str, port: int) -> subprocess.Popen[str]:
    (folder / "password").write_text(password)
    command = [sys.executable, "-m", "mixhaul_store.try_out", "--data-dir", str(folder / "data")]
    command += ["--password-file", str(folder / "password"), "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@contextmanager
def running(folder: Path, password: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    port = free_port()
    with program(folder, password, port) as process:
        try:
            yield port, process
        finally:
            process.terminate()
            out, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (0, "")
    assert password not in out


def answers(port: int, password: str, *, user: str = "mixhaul_owner", database: str = "mixhaul") -> str:
    """Empty, or why not."""
    until = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(f"postgresql://{user}:{password}@127.0.0.1:{port}/{database}", connect_timeout=5).close()
        except psycopg.OperationalError as error:
            starting = "refused" in str(error) or "starting up" in str(error)
            if not starting or time.monotonic() > until:
                return str(error)
        else:
            return ""
        time.sleep(0.05)


def becomes(port: int, password: str) -> bool:
    """The owner is made a moment after the server is up."""
    until = time.monotonic() + 30
    while answers(port, password):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def until_migrated(url: str) -> None:
    until = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute("SELECT to_regclass('etl_control') IS NULL").fetchone() == (True,):
            assert time.monotonic() < until
            time.sleep(0.05)
    assert migrate(url) == HEAD


def test_the_owner_has_a_schema_and_its_password_follows_the_file(folder: Path) -> None:
    with running(folder, "first-password") as (port, _):
        assert becomes(port, "first-password")
        until_migrated(f"postgresql://mixhaul_owner:first-password@127.0.0.1:{port}/mixhaul")
        assert "no pg_hba.conf entry" in answers(port, "first-password", database="postgres")
    with running(folder, "second-password") as (port, _):
        assert becomes(port, "second-password")
        assert "password authentication failed" in answers(port, "first-password")
        with psycopg.connect(f"postgresql://mixhaul_owner:second-password@127.0.0.1:{port}/mixhaul") as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)


def test_it_says_in_a_sentence_why_it_can_not_run(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with program(folder, "some-password", port) as process:
            _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.startswith("mixhaul_store.try_out: ")
    assert f"the port {port} is taken" in error
