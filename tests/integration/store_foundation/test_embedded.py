"""The embedded server: started, shared, killed, and refused a folder; as root and as an ordinary user."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from mixhaul_store import embedded, server_binaries
from mixhaul_store.embedded import EmbeddedPostgres
from mixhaul_store.errors import (
    DataDirectoryInUse,
    DataDirectoryNotOurs,
    DataDirectoryOtherVersion,
    DataDirectoryUnreachable,
    EmbeddedServerFailed,
)
from support.postgres import binaries, reachable_folder

PROGRAM = Path(__file__).with_name("server_program.py")
ROOT = os.geteuid() == 0
NOBODY = 65534


def _reaches_this_python(uid: int) -> bool:
    needed = (Path(sys.executable), Path(sys.prefix), PROGRAM.parent)
    return all(server_binaries.enterable(one.resolve(), uid) is None for one in needed)


# An ordinary user as well, where root can become one that reaches this Python.
USERS = [os.geteuid(), *([NOBODY] if ROOT and _reaches_this_python(NOBODY) else [])]


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as made:
        yield made


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A data folder that a server has made and left."""
    with reachable_folder() as made:
        with server(made / "data") as url:
            answer(url, "CREATE TABLE kept AS SELECT 1 AS x")
        yield made / "data"


@pytest.fixture
def data(folder: Path, template: Path) -> Path:
    """A copy of it, owners included: much faster than a first start."""
    subprocess.run(["cp", "-a", template, folder / "data"], check=True)
    return folder / "data"


def server(data_dir: Path, **options: float) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, durable=False, binaries=binaries(), **options)


@contextmanager
def program(data_dir: Path, *, uid: int) -> Iterator[subprocess.Popen[str]]:
    own = uid == os.geteuid()
    chosen = binaries()
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ({"TEST_BINARIES": str(chosen)} if chosen else {}),
        **({} if own else {"user": uid, "group": uid, "extra_groups": []}),  # type: ignore[call-overload]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def answer(url: str, statement: str = "SELECT 1") -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchone() if cursor.description else None


def test_a_server_starts_keeps_its_data_and_is_private(folder: Path) -> None:
    one = server(folder / "data")
    with one as url:
        answer(url, "CREATE TABLE kept AS SELECT 'S3cret in a row'::text AS x")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            answer(url, "SELECT 'S3cret in a statement'::int")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            answer(url.replace(":", ":x", 2).replace("postgresql:x", "postgresql:"))
        password = psycopg.conninfo.conninfo_to_dict(url)["password"]
        assert isinstance(password, str)
        pid = one.pid
        assert pid is not None
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert password.encode() not in process.read_bytes()
            except OSError:
                continue
        assert b"MIXHAUL" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert one.pid is None
    log = one.log_file.read_text()
    assert password not in log
    assert "S3cret" not in log
    modes = {name: oct((folder / "data" / name).stat().st_mode & 0o777) for name in ("password", "lock", "server.log")}
    assert modes == dict.fromkeys(("password", "lock", "server.log"), "0o600")
    assert not (folder / "data" / "password.initdb").exists()
    assert (folder / "data" / "cluster").stat().st_mode & 0o077 == 0
    with server(folder / "data") as url:
        assert answer(url, "SELECT x FROM kept") == ("S3cret in a row",)
    one.stop()


@pytest.mark.parametrize("uid", USERS, ids=lambda uid: f"user {uid}")
def test_a_second_process_shares_it_and_a_killed_parent_takes_it_along(folder: Path, uid: int) -> None:
    """Then the next one starts from the same folder, whatever was left there."""
    os.chown(folder, uid, -1)
    data = folder / "data"
    with program(data, uid=uid) as owner:
        url, pid = said(owner).split()
        assert (Path(f"/proc/{pid}").stat().st_uid == NOBODY) is (ROOT or uid == NOBODY)
        with program(data, uid=uid) as guest:
            assert said(guest) == f"{url} None"
            answer(url, "CREATE TABLE kept (x int)")
            guest.communicate("stop\n")
        assert answer(url) == (1,), "a guest does not stop it"
        owner.kill()
        owner.wait()
        until(lambda: not runs(int(pid)))
    with program(data, uid=uid) as heir:
        url, pid = said(heir).split()
        assert answer(url, "SELECT count(*) FROM kept") == (0,)
        heir.communicate("stop\n")
        assert not runs(int(pid))


def test_many_that_start_at_once_end_up_with_one_server(folder: Path) -> None:
    with program(folder / "data", uid=os.geteuid()) as a, program(folder / "data", uid=os.geteuid()) as b:
        one, two = said(a).split(), said(b).split()
        assert one[0] == two[0]
        assert (one[1] == "None") != (two[1] == "None")


def test_a_killed_server_is_started_again_on_its_port(data: Path) -> None:
    one = server(data)
    url = one.start()
    try:
        assert one.start() == url, "it runs already"
        answer(url, "INSERT INTO kept VALUES (2)")
        pid = one.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert one.start() == url, "at once, when the death of the first may not have shown yet"
        pid = one.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: not runs(pid))
        # The number in the file it left may be anybody's by now: here it is this very process's.
        left = data / "cluster" / "postmaster.pid"
        left.write_text(left.read_text().replace(str(pid), str(os.getpid()), 1))
        assert one.start() == url
        assert answer(url, "SELECT sum(x) FROM kept") == (3,), "what was committed is there"
    finally:
        one.stop()


def test_it_outlives_the_thread_that_started_it(data: Path) -> None:
    one = server(data)
    urls: list[str] = []
    thread = threading.Thread(target=lambda: urls.append(one.start()))
    thread.start()
    thread.join()
    try:
        time.sleep(0.1)
        assert answer(urls[0]) == (1,)
    finally:
        one.stop()


def test_another_program_on_the_port_is_stepped_around(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = embedded._free_port
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        offers = iter([taken, free(None)])
        monkeypatch.setattr(embedded, "_free_port", lambda _: next(offers))
        with server(data) as url:
            assert answer(url) == (1,)
            assert f":{taken}/" not in url


def test_a_folder_that_is_in_use_without_a_server(folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    with embedded._opened(data / "lock") as lock:
        assert embedded._locked(lock)
        with pytest.raises(DataDirectoryInUse, match="is in use by another process: stop that one, or set"):
            server(data, start_seconds=0.2).start()


def test_a_folder_that_holds_something_else(folder: Path) -> None:
    (folder / "thesis.tex").touch()
    with pytest.raises(DataDirectoryNotOurs, match="holds something else already: set MIXHAUL_DATA_DIR"):
        server(folder).start()
    assert [one.name for one in folder.iterdir()] == ["thesis.tex"]


def test_a_path_that_is_no_folder(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(DataDirectoryUnreachable, match=r"can't be used \(File exists\)"):
        server(folder / "file").start()
    with pytest.raises(DataDirectoryUnreachable, match="Not a directory"):
        server(folder / "file" / "data").start()


def test_a_folder_of_another_version(data: Path) -> None:
    (data / "cluster" / "PG_VERSION").write_text("9\n")
    with pytest.raises(DataDirectoryOtherVersion, match=r"was made by PostgreSQL 9, and this one is 1\d: move the"):
        server(data).start()


def test_a_damaged_folder_is_told_with_the_servers_own_words(data: Path) -> None:
    (data / "cluster" / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedServerFailed, match=r"did not start \(.*could not.*; its log is .*server.log"):
        server(data).start()


def test_an_interrupted_first_start_is_begun_anew(data: Path) -> None:
    (data / "cluster").rename(data / "cluster.new")
    (data / "password").unlink()
    with server(data) as url:
        assert answer(url) == (1,)


class TestUnderRoot:
    """What only root meets, or only somebody who is not root: collected for whoever runs this."""

    if ROOT:

        def test_a_folder_below_a_closed_one(self, folder: Path) -> None:
            closed = folder / "home"
            closed.mkdir(mode=0o700)
            with pytest.raises(DataDirectoryUnreachable, match="the user nobody may not enter") as caught:
                server(closed / "data").start()
            assert f"may not enter {closed})" in str(caught.value)

        @pytest.mark.parametrize("what", ["folder", "cluster"])
        def test_a_folder_of_somebody_else(self, data: Path, what: str) -> None:
            os.chown(data if what == "folder" else data / "cluster", 12345, 12345)
            with pytest.raises(DataDirectoryNotOurs, match="belongs to someone else"):
                server(data).start()

        if NOBODY in USERS:

            def test_a_user_does_not_get_at_roots_folder(self, data: Path) -> None:
                with program(data, uid=NOBODY) as process:
                    assert said(process).startswith("DataDirectoryNotOurs")
                data.chmod(0o700)
                with program(data, uid=NOBODY) as process:
                    assert said(process).startswith("DataDirectoryNotOurs")

            def test_a_user_who_may_not_write_there(self, folder: Path) -> None:
                with program(folder / "data", uid=NOBODY) as process:
                    assert said(process).startswith("DataDirectoryUnreachable")

    else:

        def test_a_user_who_may_not_write_there(self, folder: Path) -> None:
            folder.chmod(0o555)
            with pytest.raises(DataDirectoryUnreachable, match="Permission denied"):
                server(folder / "data").start()
            folder.chmod(0o755)
