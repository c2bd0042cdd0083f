"""Servers as child processes: started, watched, started again, ended.

They die with the thread that started them (PR_SET_PDEATHSIG), so a killed test run leaves none behind: start them from
a thread that stays.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cluster.errors import DidNotStart, NotBuilt
from cluster.paths import BIN


class Servers:
    """The programs of one cluster. The order of starting is kept, and turned round for the end."""

    def __init__(self, folder: Path, *, ready_within: float) -> None:
        self._folder = folder
        self._ready_within = ready_within
        self._flags: dict[str, tuple[str, ...]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, program: str, *flags: str) -> None:
        path = BIN / program
        if not path.exists():
            raise NotBuilt(path)
        self._flags[program] = flags
        # Its own process group: Ctrl-C in a terminal is for the test run, which then stops the servers itself.
        # setpriv rather than preexec_fn, which is not safe in a program with threads.
        with (self._folder / f"{program}.log").open("ab") as log:
            self._processes[program] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", path, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                process_group=0,
            )

    def kill(self, program: str) -> None:
        """As a machine that loses power."""
        self._processes[program].kill()
        self._processes.pop(program).wait()

    def start_again(self, program: str) -> None:
        """With the same flags, ports and data."""
        self.start(program, *self._flags[program])

    def stop(self) -> None:
        for process in reversed(self._processes.values()):
            process.kill()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()

    def wait(self, what: str, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + self._ready_within
        while not ready():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise DidNotStart(what, f"{name} ended with {process.returncode}:\n{self.log(name)[-2000:]}")
            if time.monotonic() > until:
                raise DidNotStart(what, f"not within {self._ready_within:.0f} s; the logs are in {self._folder}")
            time.sleep(0.05)

    def flags(self, program: str) -> tuple[str, ...]:
        return self._flags[program]

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items()}

    def log(self, program: str) -> str:
        return (self._folder / f"{program}.log").read_text(errors="replace")


def runs(pid: int) -> bool:
    """False for a zombie too: in a container the first process may be slow to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def sweep(place: Path, prefix: str) -> None:
    """Remove `place/prefix<pid>-*` of processes that are gone: the kernel ended their servers, the folders stay."""
    for folder in place.glob(f"{prefix}[0-9]*-*"):
        if not runs(int(folder.name.removeprefix(prefix).partition("-")[0])):
            shutil.rmtree(folder, ignore_errors=True)


def free_ports(address: str, count: int) -> list[int]:
    """Ports that were free a moment ago. Whoever takes one in between makes the server end, and it says so."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((address, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
