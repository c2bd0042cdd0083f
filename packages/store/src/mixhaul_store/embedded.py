"""An own PostgreSQL for who has none: made, started and stopped in a data folder.

    data folder/cluster      PostgreSQL's files; owned by `nobody` where this process is root
               /password     of the database user, 0600, ours
               /lock         held while a server runs there, also by the server itself
               /server.log

Whoever starts the server stops it; a second process with the same folder shares it, and it ends under the second one
when the first stops. It listens on 127.0.0.1 only, with a password. A parent that is killed takes its server along.
It is one machine's database: no replica, no backup.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

import psycopg
from psycopg import sql

from mixhaul_store import server_binaries, server_process
from mixhaul_store.errors import (
    DataDirectoryInUse,
    DataDirectoryNotOurs,
    DataDirectoryOtherVersion,
    DataDirectoryUnreachable,
    EmbeddedServerFailed,
)
from mixhaul_store.server_launcher import CANNOT_DROP, CANNOT_ENTER, CANNOT_EXECUTE
from mixhaul_store.server_process import ServerUser

USER = "mixhaul"
DATABASE = "mixhaul"
PORT_TRIES = 10
LARGEST_LOG = 10 * 1024 * 1024

_SETTINGS: dict[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    # Nothing of a row and no statement gets into the log.
    "log_error_verbosity": "terse",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
_LAUNCH_TROUBLE = {
    CANNOT_DROP: "root may not change to the user `nobody` here (CAP_SETUID and CAP_SETGID are missing)",
    CANNOT_EXECUTE: "its program can't be executed",
}


class EmbeddedPostgres:
    """One server in one folder. `durable=False` is for tests: faster, and only a crash of the machine loses data.

    `binaries` names another PostgreSQL's `bin` folder; `port` is taken if it is free. As a context manager it gives the
    URL.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
        port: int | None = None,
        start_seconds: float = 60.0,
    ) -> None:
        self.data_dir = Path(os.path.abspath(data_dir))  # noqa: PTH100  (a link stays a link)
        self.cluster = self.data_dir / "cluster"
        self.log_file = self.data_dir / "server.log"
        self._user = ServerUser.current()
        self._bin = binaries
        self._settings = _SETTINGS | ({} if durable else {"fsync": "off"}) | dict(settings or {})
        self._durable = durable
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._port = port

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the server that this object started, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> str:
        """Start the server, or find the one that runs on the folder; returns its libpq URL.

        Called again it does nothing while the server runs, and starts it anew (on the same port) when it has died.
        """
        deadline = time.monotonic() + self._start_seconds
        running = self._still_running(deadline)
        if running is not None:
            return running
        self._prepare_folder()
        with _opened(self.data_dir / "lock") as lock:
            while not _locked(lock):
                shared = self._running()
                if shared is not None:
                    return shared
                if time.monotonic() > deadline:
                    raise DataDirectoryInUse(self.data_dir)
                time.sleep(0.05)
            self._make_cluster()
            return self._start_server(lock, deadline)

    def stop(self) -> None:
        """End the server that this object started: quickly and cleanly, by force after some seconds."""
        process, self._process = self._process, None
        if process is None:
            return
        for number, seconds in ((signal.SIGINT, 8.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                return

    # -- the folder

    def _prepare_folder(self) -> None:
        try:
            self.data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
            found = self.data_dir.stat()
            entries = {entry.name for entry in self.data_dir.iterdir()}
        except OSError as error:
            if isinstance(error, PermissionError) and self._exists():
                raise DataDirectoryNotOurs(self.data_dir, "belongs to someone else") from error
            raise DataDirectoryUnreachable(self.data_dir, error.strerror or type(error).__name__) from error
        if found.st_uid not in (os.geteuid(), self._user.uid) and (self._user.switch or "password" in entries):
            raise DataDirectoryNotOurs(self.data_dir, "belongs to someone else")
        if entries and "lock" not in entries:
            raise DataDirectoryNotOurs(self.data_dir, "holds something else already")
        if self.cluster.exists() and self.cluster.stat().st_uid != self._user.uid:
            raise DataDirectoryNotOurs(self.cluster, "belongs to someone else")
        if not os.access(self.data_dir, os.W_OK | os.X_OK):
            raise DataDirectoryUnreachable(self.data_dir, "it can't be written")
        if self._user.switch:
            closed = server_binaries.enterable(self.data_dir.resolve(), self._user.uid)
            if closed is not None:
                raise DataDirectoryUnreachable(
                    self.data_dir, f"PostgreSQL can't run as root, and the user nobody may not enter {closed}"
                )

    def _exists(self) -> bool:
        try:
            return self.data_dir.exists()
        except OSError:
            return False

    def _make_cluster(self) -> None:
        version = self.cluster / "PG_VERSION"
        if version.exists():
            found, wanted = version.read_text().strip(), self._major()
            if found != wanted:
                raise DataDirectoryOtherVersion(self.data_dir, found=found, wanted=wanted)
            return
        fresh = self.data_dir / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        self._write_password("password", password)
        for_initdb = self._write_password("password.initdb", password)
        if self._user.switch:
            os.chown(fresh, self._user.uid, self._user.gid)
            os.chown(for_initdb, self._user.uid, self._user.gid)
        try:
            with self._log() as log:
                offset = log.tell()
                process = server_process.start(
                    self._user, fresh, self._program("initdb"), self._initdb_arguments(fresh, for_initdb), log=log
                )
                if process.wait() != 0:
                    raise self._failure(process.returncode, offset)
        finally:
            for_initdb.unlink()
        fresh.rename(self.cluster)

    def _initdb_arguments(self, folder: Path, password: Path) -> list[str]:
        provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if int(self._major()) < 17:
            provider = ["--locale=C.UTF-8"]
        return [
            f"--pgdata={folder}",
            f"--username={USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-instructions",
            *provider,
            *([] if self._durable else ["--no-sync"]),
        ]

    def _write_password(self, name: str, password: str) -> Path:
        path = self.data_dir / name
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(password)
        return path

    def _password(self) -> str:
        return (self.data_dir / "password").read_text(encoding="ascii")

    # -- the server

    def _start_server(self, lock: IO[bytes], deadline: float) -> str:
        # The lock is ours, and every process of a server would hold it: whatever this names is dead.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        password = self._password()
        for _ in range(PORT_TRIES):
            port = _free_port(self._port)
            with self._log() as log:
                offset = log.tell()
                settings = [f"--{name}={value}" for name, value in self._settings.items()]
                process = server_process.start(
                    self._user,
                    self.cluster,
                    self._program("postgres"),
                    ["-D", str(self.cluster), f"--port={port}", *settings],
                    log=log,
                    keep=[lock.fileno()],
                )
            self._process = process
            if self._wait_until_ready(process, deadline):
                self._port = port
                url = self._url(password, port)
                self._make_database(url)
                return url
            self._process = None
            if "Address already in use" not in self._log_since(offset):
                raise self._failure(process.returncode, offset)
            self._port = None
        raise EmbeddedServerFailed("no free port", log=self.log_file)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        while process.poll() is None:
            if _postmaster_port(self.cluster) is not None:
                return True
            if time.monotonic() > deadline:
                process.send_signal(signal.SIGQUIT)
                process.wait()
            time.sleep(0.02)
        return False

    def _make_database(self, url: str) -> None:
        with psycopg.connect(url, dbname="postgres", autocommit=True, connect_timeout=10) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _still_running(self, deadline: float) -> str | None:
        """The URL of the server that this object started, once it answers; None when there is none or it has died.

        That a process was killed shows only a moment later, so its being there proves nothing.
        """
        while self._process is not None:
            url = self._running()
            if url is not None:
                return url
            if self._process.poll() is not None:
                self._process = None
            elif time.monotonic() > deadline:
                raise EmbeddedServerFailed("it runs and does not answer", log=self.log_file)
            else:
                time.sleep(0.02)
        return None

    def _running(self) -> str | None:
        """The URL of the server that runs on this folder, if it answers."""
        port = _postmaster_port(self.cluster)
        if port is None:
            return None
        try:
            url = self._url(self._password(), port)
            psycopg.connect(url, connect_timeout=5).close()
        except (OSError, psycopg.OperationalError):
            return None
        return url

    def _url(self, password: str, port: int) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"

    def _program(self, name: str) -> Path:
        if self._bin is None:
            self._bin = server_binaries.bin_for(self._user.uid)
        return self._bin / name

    def _major(self) -> str:
        answer = subprocess.run(  # noqa: S603  (the server's own program)
            [self._program("postgres"), "--version"], capture_output=True, text=True, check=True, timeout=30
        )
        found = re.search(r"\d+", answer.stdout)
        assert found is not None  # noqa: S101  ("postgres (PostgreSQL) 18.3")
        return found.group()

    # -- its log

    def _log(self) -> IO[bytes]:
        if self.log_file.exists() and self.log_file.stat().st_size > LARGEST_LOG:
            self.log_file.replace(self.log_file.with_suffix(".log.old"))
        return _opened(self.log_file)

    def _log_since(self, offset: int) -> str:
        with self.log_file.open("rb") as file:
            file.seek(offset)
            return file.read(64 * 1024).decode("utf-8", "replace")

    def _failure(self, code: int | None, offset: int) -> EmbeddedServerFailed | DataDirectoryUnreachable:
        if code == CANNOT_ENTER:
            return DataDirectoryUnreachable(self.data_dir, "PostgreSQL's user may not enter it")
        lines = [line.strip() for line in self._log_since(offset).splitlines() if line.strip()]
        told = next((line for line in reversed(lines) if re.search(r"FATAL|PANIC|error:|No space", line)), None)
        reason = _LAUNCH_TROUBLE.get(code or 0) or told or (lines[-1] if lines else f"exit code {code}")
        return EmbeddedServerFailed(reason, log=self.log_file)


def _opened(path: Path) -> IO[bytes]:
    file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")  # noqa: PTH123, SIM115
    file.seek(0, os.SEEK_END)
    return file


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _postmaster_port(cluster: Path) -> int | None:
    """The port, once the server accepts connections."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    return int(lines[3]) if len(lines) > 7 and lines[7].strip() == "ready" else None


def _free_port(wanted: int | None) -> int:
    """The wanted one if it is free, otherwise any. Somebody may still be faster: the server then tries again."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
