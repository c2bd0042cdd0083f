"""What a cluster would do by itself in time, done now; and waiting for what it does do."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cluster.controlplane import ControlPlane

T = TypeVar("T")


def eventually(look: Callable[[], T | None], *, within: float = 60.0) -> T:
    """The first answer that is true. Generous: a busy machine is no failure."""
    until = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {within:.0f} s, the last answer was {found!r}")
        time.sleep(0.05)
    return found


def make_namespace(plane: ControlPlane, name: str, *, labels: dict[str, str] | None = None) -> None:
    plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels or {}}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    eventually(lambda: plane.get(account))  # pods are refused before it is there


def make_crd(plane: ControlPlane, crd: dict[str, Any]) -> None:
    """Once a run rather than once a test: it takes up to two seconds until the kind is served."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    plane.request("POST", path, crd)
    name, spec = crd["metadata"]["name"], crd["spec"]

    def established() -> bool:
        conditions = (plane.get(f"{path}/{name}") or {}).get("status", {}).get("conditions") or []  # null at first
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    eventually(established)
    for version in spec["versions"]:  # served a moment after it is Established
        kinds = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
        eventually(lambda kinds=kinds: plane.get(kinds))  # type: ignore[misc]


def cron_job_is_due(plane: ControlPlane, namespace: str, name: str) -> None:
    """Make the controller believe that the last run was two days ago: it starts the missed one at once.

    Whatever the schedule is, but not with `startingDeadlineSeconds`, which is what forbids to catch up.
    """
    past = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"/apis/batch/v1/namespaces/{namespace}/cronjobs/{name}/status"
    plane.request("PATCH", path, {"status": {"lastScheduleTime": past}})


def finish_pod(plane: ControlPlane, pod: dict[str, Any], *, exit_code: int = 0) -> None:
    """Say what kubelet would say when the pod's containers have ended. The job controller does the rest.

    Writing the Job's own status instead is refused unless it is complete and consistent, and is overwritten anyway.
    A failed pod is replaced after 10 s, which no field shortens: `backoffLimit: 0` where that will do.
    """
    ended = {"exitCode": exit_code, "reason": "Completed" if exit_code == 0 else "Error"}
    containers = [
        {
            "name": one["name"],
            "image": one["image"],
            "imageID": "",
            "restartCount": 0,
            "ready": False,
            "state": {"terminated": ended},
        }
        for one in pod["spec"]["containers"]
    ]
    status = {"phase": "Succeeded" if exit_code == 0 else "Failed", "containerStatuses": containers}
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status"
    plane.request("PATCH", path, {"status": status})


def compact(plane: ControlPlane) -> None:
    """etcd forgets everything but what is."""
    (server,) = (each for each in plane.servers.flags("kube-apiserver") if each.startswith("--etcd-servers="))

    def call(path: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        request = urllib.request.Request(  # noqa: S310  (loopback)
            f"{server.partition('=')[2]}{path}", data=json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            found: dict[str, dict[str, str]] = json.loads(answer.read())
            return found

    revision = call("/v3/kv/range", {"key": "AA==", "limit": "1"})["header"]["revision"]
    call("/v3/kv/compaction", {"revision": revision, "physical": True})
