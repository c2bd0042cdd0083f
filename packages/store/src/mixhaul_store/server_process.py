"""Starts a process of the server: as the right user, in a clean environment, never outliving this process.

Linux ends a child when the *thread* that made it ends, so the thread here lives as long as its child.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LAUNCHER = Path(__file__).with_name("server_launcher.py")
NOBODY = 65534


@dataclass(frozen=True, slots=True)
class ServerUser:
    """Whom the server runs as: this very user, or `nobody` where this process is root."""

    uid: int
    gid: int
    switch: bool

    @classmethod
    def current(cls) -> ServerUser:
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), switch=False)
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            return cls(NOBODY, NOBODY, switch=True)
        return cls(entry.pw_uid, entry.pw_gid, switch=True)


def environment() -> dict[str, str]:
    """Nothing of ours: no PG* variable that would redirect it, and no secret."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}


def start(
    user: ServerUser, folder: Path, program: Path, arguments: Sequence[str], *, log: IO[bytes], keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Execute `program` in `folder` as `user`; output goes to `log`, the descriptors of `keep` are inherited."""
    switch = (str(user.uid), str(user.gid)) if user.switch else ("-", "-")
    command = [sys.executable, "-I", "-S", str(LAUNCHER), *switch, str(os.getpid()), str(folder), str(program)]
    made: list[subprocess.Popen[bytes] | BaseException] = []
    ready = threading.Event()

    def parent() -> None:
        try:
            process = subprocess.Popen(  # noqa: S603  (our own launcher)
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(),
                pass_fds=tuple(keep),
                # Ctrl-C is for this process, which then stops the server in its own order.
                start_new_session=True,
            )
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            made.append(error)
            ready.set()
            return
        made.append(process)
        ready.set()
        process.wait()

    threading.Thread(target=parent, name=f"parent of {program.name}", daemon=True).start()
    ready.wait()
    outcome = made[0]
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
