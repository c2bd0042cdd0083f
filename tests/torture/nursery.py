"""Starts ingestors by the zygote, or as executed programs, and knows how each one ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(eq=False)
class Child:
    """One process. `status` is negative where a signal ended it, None while it lives."""

    pid: int
    log: Path
    forked: bool
    process: subprocess.Popen[bytes] | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _status: int | None = None

    @property
    def status(self) -> int | None:
        if self.process is not None:
            return self.process.poll()
        return self._status

    def ended(self, status: int) -> None:
        """The zygote's word."""
        self._status = status
        self._ended.set()

    def send(self, number: signal.Signals) -> None:
        """A signal; nothing where it has ended."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Its status, or None when it still lives after so many seconds."""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=seconds)
        else:
            self._ended.wait(timeout=seconds)
        return self.status


class Nursery:
    """All children of a run. Close it: nobody outlives it."""

    def __init__(self, *, path: str) -> None:
        self._children: dict[int, Child] = {}
        self._early: dict[int, int] = {}
        self._born: queue.Queue[int] = queue.Queue()
        self._lock = threading.Lock()
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "torture.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (path, os.environ.get("PYTHONPATH"))))},
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def fork(self, argv: list[str], *, env: dict[str, str], log: Path) -> Child:
        """A child of the zygote."""
        request = json.dumps({"argv": argv, "env": env, "log": str(log)}).encode()
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(request + b"\n")
        self._zygote.stdin.flush()
        child = Child(pid=self._born.get(timeout=60), log=log, forked=True)
        with self._lock:
            self._children[child.pid] = child
            status = self._early.pop(child.pid, None)
        if status is not None:
            child.ended(status)
        return child

    def execute(self, argv: list[str], *, env: dict[str, str], log: Path) -> Child:
        """A program of its own, as in production but for the hook."""
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, str(HERE.parent / "faults" / "victim.py"), *argv],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        child = Child(pid=process.pid, log=log, forked=False, process=process)
        with self._lock:
            self._children[child.pid] = child
        return child

    def close(self) -> None:
        """End everybody."""
        for child in list(self._children.values()):
            if child.status is None:
                child.send(signal.SIGKILL)
                child.wait(20)
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        self._zygote.wait(timeout=20)

    def _listen(self) -> None:
        assert self._zygote.stdout is not None
        for line in self._zygote.stdout:
            answer: dict[str, Any] = json.loads(line)
            if "pid" in answer:
                self._born.put(answer["pid"])
                continue
            with self._lock:
                child = self._children.pop(answer["ended"], None)
                if child is None:
                    self._early[answer["ended"]] = answer["status"]
            if child is not None:
                child.ended(answer["status"])


def wait_until(moment: float) -> None:
    """Sleep until then, by the monotonic clock."""
    time.sleep(max(0.0, moment - time.monotonic()))
