"""A `kill -9` of the process in a pod, and what the simulator and the database saw afterwards.

A forced deletion lets the process hear SIGTERM, and it would give its Lease back; so the process is killed from the
node's PID namespace, by a privileged pod.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cluster.acts import eventually
from cluster.flow.world import INGESTORS, World
from cluster.release import IMAGE

NAMESPACE: Final = "killer"
_KILL: Final = """
import os, pathlib, signal, sys, time
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        words = (folder / "cmdline").read_bytes().split(b"\\0")
        environment = (folder / "environ").read_bytes().split(b"\\0")
    except OSError:
        continue
    if b"stream" in words and f"MIXHAUL_HOLDER={sys.argv[1]}".encode() in environment:
        at = time.time()
        os.kill(int(folder.name), signal.SIGKILL)
        print(at)
        break
else:
    sys.exit(f"no process of {sys.argv[1]}")
"""

_FIRST_PAGE: Final = """
import sys, time, psycopg
url, after = sys.argv[1], float(sys.argv[2])
sql = "SELECT FROM raw_pages WHERE observed_at > to_timestamp(%s) LIMIT 1"
with psycopg.connect(url, autocommit=True) as connection:
    while not connection.execute(sql, (after,)).rowcount:
        if time.time() > after + 90:
            sys.exit("no page was committed within 90 s")
        time.sleep(0.02)
    print(time.time())
"""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Seconds from the kill until another leads, to its first call to MiX, and to its first committed page."""

    led: float
    call: float
    page: float


class Killer:
    """`start` it once."""

    def __init__(self, world: World) -> None:
        self.world = world

    def start(self) -> None:
        labels = {"pod-security.kubernetes.io/enforce": "privileged"}
        container = {
            "name": "killer",
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": ["sleep", "infinity"],
            "securityContext": {"privileged": True, "runAsUser": 0},
        }
        spec = {"hostPID": True, "terminationGracePeriodSeconds": 0, "containers": [container]}
        node = self.world.release.node
        for value in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "killer", "namespace": NAMESPACE}, "spec": spec},
        ):
            eventually(lambda value=value: self._applied(value))  # type: ignore[misc]
        node.kubectl("--namespace", NAMESPACE, "wait", "--for=condition=Ready", "pod/killer", "--timeout=60s")

    def stop(self) -> None:
        self.world.release.node.kubectl("delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")

    def kill_the_leader(self) -> TakenOver:
        """And wait until another has stored a page, and both pods are there again."""
        world = self.world
        old = eventually(world.leader, within=60)
        assert world.query("SELECT has_more_items FROM etl_control WHERE feed = 'events'") == [[True]], "no backlog"
        seen = int(world.control("GET", "/control/records?since=999999999")["next"])
        command = ("--namespace", NAMESPACE, "exec", "--stdin", "killer", "--", "python3", "-", old)
        at = float(world.release.node.kubectl(*command, stdin=_KILL))
        page = self._page(after=at)
        calls = self._calls(seen, after=at)
        # A new pod rather than a restart, which kubelet delays more each time.
        world.release.kubectl("delete", "pod", old, "--grace-period=0", "--force")
        world.release.kubectl("rollout", "status", "deployment/mixhaul-ingestor", "--timeout=120s")
        assert eventually(world.leader, within=60) in {
            each["metadata"]["name"] for each in world.release.items("pods", "--selector", INGESTORS)
        } - {old}
        ((led,),) = world.query("SELECT extract(epoch FROM acquired_at) FROM leader_epochs")
        return TakenOver(led=float(led) - at, call=calls[0] - at, page=page - at)

    def _applied(self, value: dict[str, Any]) -> bool:
        # Before its default ServiceAccount is there, a namespace takes no pod.
        said = self.world.release.node.kubectl("apply", "--filename", "-", stdin=json.dumps(value), ok=False)
        return "created" in said or "unchanged" in said

    def _calls(self, since: int, *, after: float) -> list[float]:
        """When feeds were asked. What the killed one had sent came before, or at once."""
        calls = self.world.control("GET", f"/control/records?since={since}")["calls"]
        times = [datetime.fromisoformat(each["receivedAt"]).timestamp() for each in calls if each["route"] == "feed"]
        return [each for each in times if each > after + 0.5]

    def _page(self, *, after: float) -> float:
        """When another process first saw a page that was asked for after the kill: it is committed then."""
        return float(self.world.release.in_client(_FIRST_PAGE, self.world.database_url, str(after + 0.5)))
