"""A process that has imported all of the ingestor and forks one for each request: a start costs milliseconds.

From `main()` on, a fork runs what an executed program runs, with the arguments and the environment of the request. One
request a line on standard input, `{"argv": [...], "env": {...}, "log": file}`; one answer a line on standard output,
`{"pid": n}` in the order of the requests, and `{"ended": n, "status": s}` whenever a child has ended. It ends with
standard input, and its children with it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import select
import signal
import sys
import traceback
from typing import Any

# Everything that a first page would import.
import psycopg_pool  # noqa: F401
import uvloop  # noqa: F401

import mixhaul_ingestor.cli
import mixhaul_ingestor.kubernetes  # noqa: F401
from faults import victim

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _child(request: dict[str, Any], *, parent: int) -> None:
    """Become the program; never returns."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.closerange(3, 64)
    signal.signal(signal.SIGUSR1, _show_tasks)
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["mixhaul-ingestor", *request["argv"]]
    code = 1
    try:
        victim.main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001  (the edge of the program)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _show_tasks(*_: object) -> None:
    """Where each task stands: for one that does not end."""
    for task in list(asyncio.tasks._all_tasks):  # type: ignore[attr-defined]
        if not task.done():
            task.print_stack(file=sys.stderr)


def _say(answer: dict[str, int]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def main() -> None:
    """Serve until standard input ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    gc.collect()
    gc.freeze()
    waking, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    me, pending = os.getpid(), b""
    while True:
        ready, _, _ = select.select([0, waking], [], [])
        if waking in ready:
            os.read(waking, 4096)
            _reap()
        if 0 not in ready:
            continue
        received = os.read(0, 1 << 20)
        if not received:
            return
        *lines, pending = (pending + received).split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                _child(json.loads(line), parent=me)
            _say({"pid": pid})
        _reap()


if __name__ == "__main__":
    main()
