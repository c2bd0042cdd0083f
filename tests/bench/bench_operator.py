"""One operator and many MixSources on a real API server: start-up, one change, a Secret's rotation, idling, restart.

    PYTHONPATH=tests python tests/bench/bench_operator.py --sources 1000 --secrets 50 --idle-seconds 60

Needs the control plane of `make cluster-build`. It prints figures and asserts nothing; the audit log of the API server
counts the writes, so that "idle" is what the server says it is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.machine import cpu_seconds, describe, memory_mb, peak_memory_mb
from cluster.acts import make_crd, make_namespace
from cluster.controlplane import ControlPlane
from cluster.operator.bed import CREDENTIALS, Bed, Operator
from cluster.operator.rights import ACCOUNT, grant
from mixhaul_source.crd import crd
from support.postgres import running_server

MUTATING = {"create", "update", "patch", "delete"}
REPEATS = 10


def main() -> None:
    options = _options()
    print(describe())
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server() as server,
        server.database() as url,
        ControlPlane(audit=True) as plane,
    ):
        make_crd(plane, crd())
        make_namespace(plane, "bench")
        grant(plane, "bench")
        bed = Bed(plane=plane, namespace="bench", database_url=url, folder=Path(folder))
        bed.make_template()
        _make(bed, options)
        with bed.operator(progress_seconds="30", wait=False) as operator:
            began = time.monotonic()
            # Rarely: looking costs the API server as much as the work does.
            _wait(lambda: _settled(bed) >= options.sources, every=1.0)
            took = time.monotonic() - began
            print(f"{options.sources} sources from nothing: {took:.1f} s, {_writes(bed)} writes, {_cost(operator)}")
            print(f"one source changed, until its status says so: {_spread(lambda n: _one_change(bed, n))}")
            shared = len([each for each in _sources(bed) if each["spec"]["secretRef"]["name"] == "mix-0"])
            print(f"a Secret of {shared} sources broken or mended: {_spread(lambda n: _rotation(bed, n))}")
            _idle(bed, operator, options.idle_seconds)
            operator.stop()
        _restart(bed, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=1000)
    parser.add_argument("--secrets", type=int, default=50)
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    return parser.parse_args()


def _make(bed: Bed, options: argparse.Namespace) -> None:
    for number in range(options.secrets):
        bed.make_secret(f"mix-{number}")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: _one_source(bed, n, options.secrets), range(options.sources)))


def _one_source(bed: Bed, number: int, secrets: int) -> None:
    bed.make_source(f"s{number}", secretRef={"name": f"mix-{number % secrets}"}, organisationIDs=[str(10_000 + number)])


def _sources(bed: Bed) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = bed.plane.request("GET", bed.path("mixsources"))["items"]
    return items


def _settled(bed: Bed) -> int:
    return sum(
        each.get("status", {}).get("observedGeneration") == each["metadata"]["generation"] for each in _sources(bed)
    )


def _one_change(bed: Bed, number: int) -> None:
    name = f"s{number * 7}"
    wanted = bed.change_source(name, sync={"schedule": f"{number} 3 * * *"})["metadata"]["generation"]
    _wait(lambda: bed.source(name)["status"]["observedGeneration"] == wanted)


def _rotation(bed: Bed, number: int) -> None:
    """Taking a key away and putting it back are what shows in the status of every source that shares it."""
    values = {key: value for key, value in CREDENTIALS.items() if number % 2 or key != "password"}
    reason = "NotStalled" if number % 2 else "SecretIncomplete"
    names = [each["metadata"]["name"] for each in _sources(bed) if each["spec"]["secretRef"]["name"] == "mix-0"]
    bed.make_secret("mix-0", values)
    _wait(lambda: all(bed.condition(name, "Stalled")[1] == reason for name in names))


def _idle(bed: Bed, operator: Operator, seconds: float) -> None:
    # What is told of the changes before may still be on its way.
    time.sleep(3)
    writes, cpu = _writes(bed), cpu_seconds(operator.process.pid)
    time.sleep(seconds)
    spent = cpu_seconds(operator.process.pid) - cpu
    print(
        f"idle for {seconds:.0f} s: {_writes(bed) - writes} writes, {spent:.1f} s of CPU "
        f"({100 * spent / seconds:.1f} %), {_cost(operator)}"
    )


def _restart(bed: Bed, options: argparse.Namespace) -> None:
    writes = _writes(bed)
    with bed.operator(progress_seconds="30", wait=False) as operator:
        began = time.monotonic()
        _wait(operator.is_ready)
        bed.make_source("last", secretRef={"name": "mix-0"}, organisationIDs=["1"])
        _wait(
            lambda: "observedGeneration" in bed.source("last").get("status", {}) and _settled(bed) > options.sources,
            every=0.2,
        )
        took = time.monotonic() - began
        print(
            f"restart, until a new source was served: {took:.1f} s, {_writes(bed) - writes} writes, {_cost(operator)}"
        )


def _cost(operator: Operator) -> str:
    pid = operator.process.pid
    return (
        f"{memory_mb(pid):.0f} MB resident ({peak_memory_mb(pid):.0f} at most), {cpu_seconds(pid):.1f} s of CPU so far"
    )


def _writes(bed: Bed) -> int:
    user = f"system:serviceaccount:{bed.namespace}:{ACCOUNT}"
    entries = (json.loads(line) for line in bed.plane.audit_log.read_text().splitlines())
    return sum(
        entry["user"]["username"] == user and entry["verb"] in MUTATING and entry["stage"] == "ResponseComplete"
        for entry in entries
    )


def _spread(act: Callable[[int], None]) -> str:
    took = []
    for number in range(REPEATS):
        began = time.monotonic()
        act(number)
        took.append((time.monotonic() - began) * 1000)
    took.sort()
    return f"{took[0]:.0f} / {took[len(took) // 2]:.0f} / {took[-1]:.0f} ms (min, median, max of {len(took)})"


def _wait(look: Callable[[], bool], *, every: float = 0.005, within: float = 300.0) -> None:
    until = time.monotonic() + within
    while not look():
        if time.monotonic() > until:
            raise SystemExit(f"not within {within:.0f} s")
        time.sleep(every)


if __name__ == "__main__":
    main()
