"""Another server becomes the primary: the old one is dead, the standby is promoted, and the URL names both."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from faults.bed import Bed, wait_for
from faults.compare import compare
from mixhaul_store import server_process
from mixhaul_store.embedded import EmbeddedPostgres
from mixhaul_store.server_binaries import bin_for
from mixhaul_store.server_process import ServerUser
from support.postgres import binaries, reachable_folder
from trouble.conftest import FLEET, SHORT


@contextmanager
def standby_of(primary: EmbeddedPostgres, url: str, folder: Path) -> Iterator[tuple[EmbeddedPostgres, str]]:
    """A second server that follows the first."""
    folder.mkdir(mode=0o755)
    user = ServerUser.current()
    if user.switch:
        os.chown(folder, user.uid, user.gid)
    shutil.copy(primary.data_dir / "password", folder / "password")
    (folder / "lock").touch()
    program = (binaries() or bin_for(user.uid)) / "pg_basebackup"
    arguments = ["--dbname", url, "--pgdata", str(folder / "cluster"), "--write-recovery-conf", "--checkpoint=fast"]
    with (folder / "backup.log").open("wb") as log:
        process = server_process.start(user, folder, program, [*arguments, "--no-sync"], log=log)
        assert process.wait(timeout=60) == 0, (folder / "backup.log").read_text(encoding="utf-8")
    if user.switch:
        os.chown(folder, 0, 0)
    standby = EmbeddedPostgres(folder, durable=False, binaries=binaries())
    try:
        yield standby, standby.start()
    finally:
        standby.stop()


def test_another_server_becomes_the_primary() -> None:
    """What the old one had committed and not sent is read from MiX again: the cursor stands where its data does."""
    with reachable_folder() as folder:
        primary = EmbeddedPostgres(folder / "a", durable=False, binaries=binaries())
        bed = Bed(folder)
        bed.environment |= SHORT
        try:
            url = primary.start()
            bed.use_database(url)
            bed.prepare()
            with standby_of(primary, url, folder / "b") as (_, second):
                one, two = conninfo_to_dict(url), conninfo_to_dict(second)
                bed.environment["MIXHAUL_DATABASE_URL"] = (
                    f"postgresql://{one['user']}:{one['password']}@127.0.0.1:{one['port']},127.0.0.1:{two['port']}"
                    f"/{one['dbname']}?target_session_attrs=read-write"
                )
                bed.start_simulator(*FLEET)
                process = bed.start_ingestor(name="a")
                wait_for(lambda: _pages(second) > 4, what="pages on the standby", seconds=60)
                assert primary.pid is not None
                os.kill(primary.pid, signal.SIGKILL)
                with psycopg.connect(second, autocommit=True) as connection:
                    connection.execute("SELECT pg_promote()")
                before = _pages(second)
                wait_for(lambda: _pages(second) > before + 2, what="pages on the new primary", seconds=60)
                assert process.poll() is None
                bed.simulator.call("POST", "/control/generate", {"stop": True})
                control = bed.simulator.control
                wait_for(lambda: compare(control, second).equal, what="the same as the truth", seconds=60)
                given = {call.get("tokenGiven") for call in bed.records()["calls"]}
                with psycopg.connect(second) as connection:
                    tokens = connection.execute("SELECT last_successful_sincetoken FROM etl_control").fetchall()
                assert {token for (token,) in tokens} <= given
        finally:
            bed.close()
            primary.stop()


def _pages(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM raw_pages").fetchone()
    return int(row[0]) if row else 0
