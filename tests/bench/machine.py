"""What Linux says of processes and of the machine: CPU time, memory, load. Reads /proc and nothing else."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
KIB_PER_MB = 1000 * 1000 / 1024


def cpu_seconds(pid: int, *, children: bool = False) -> float:
    """CPU time of a process, in steps of a clock tick; with `children`, that of those which it has waited for too."""
    fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return sum(map(int, fields[11 : 15 if children else 13])) / TICKS


def server_cpu_seconds(postmaster: int) -> float:
    """CPU time of a PostgreSQL and all its processes, those that ended included."""
    total = cpu_seconds(postmaster, children=True)
    for pid in _children(postmaster):
        with suppress(OSError):
            total += cpu_seconds(pid)
    return total


def _children(parent: int) -> Iterator[int]:
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, IndexError):
                if int((folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1]) == parent:
                    yield int(folder.name)


def peak_memory_mb(pid: int) -> float:
    """The most that a process has had resident, in MB of a million bytes."""
    return _status(pid, "VmHWM:") / KIB_PER_MB


def memory_mb(pid: int) -> float:
    """What a process has resident now, in MB of a million bytes."""
    return _status(pid, "VmRSS:") / KIB_PER_MB


def _status(pid: int, name: str) -> int:
    for line in (PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no {name}")


def describe() -> str:
    """The machine in a line: processor, cores, memory, kernel, Python, and how busy it is."""
    info = (PROC / "cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.machine())
    total = int((PROC / "meminfo").read_text(encoding="utf-8").split()[1]) / 1024**2
    return (
        f"{model}, {os.cpu_count()} cores, {total:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load {load()}"
    )


def load() -> str:
    """The load averages of 1, 5 and 15 minutes."""
    return " ".join(f"{one:.1f}" for one in os.getloadavg())
