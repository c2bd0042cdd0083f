"""What the flow's tests look at: the simulator's pod, the database through the client's pod, the MixSource's state."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cluster.acts import eventually
from cluster.release import Release
from mixhaul_simulator.settings import Account

NAME: Final = "fleet"
MIX: Final = "http://simulator:8000"
CONTROL: Final = "http://simulator:8001"
COMPARE: Final = (Path(__file__).parents[2] / "faults" / "compare.py").read_text(encoding="utf-8")
_CALL: Final = """
import sys, urllib.request
method, url, body = sys.argv[1:]
request = urllib.request.Request(url, data=body.encode() or None, method=method)
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""
_QUERY: Final = """
import json, sys, psycopg
with psycopg.connect(sys.argv[1]) as connection:
    print(json.dumps(connection.execute(sys.argv[2]).fetchall(), default=str))
"""


class World:
    """One release, one simulator."""

    def __init__(self, release: Release, *, database_secret: str = "mixhaul-try-out-postgresql") -> None:
        self.release = release
        self._database_secret = database_secret

    def start_simulator(self, *options: str) -> None:
        """As a pod behind a Service."""
        command = ["mixhaul-simulator", "--host", "0.0.0.0", "--port", "8000", "--control-port", "8001", *options]  # noqa: S104
        ports = [{"name": name, "port": port} for name, port in (("mix", 8000), ("control", 8001))]
        self.release.apply(
            self.release.pod_of_test("simulator", command=command),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "simulator"},
                "spec": {"selector": {"app": "simulator"}, "ports": ports},
            },
        )
        self.release.kubectl("wait", "--for=condition=Ready", "pod/simulator", "--timeout=120s")

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """The simulator's control API."""
        text = "" if body is None else json.dumps(body)
        return json.loads(self.release.in_client(_CALL, method, f"{CONTROL}{path}", text))

    @property
    def database_url(self) -> str:
        secret = self.release.one("secret", self._database_secret)
        return base64.b64decode(secret["data"]["uri"]).decode()

    def query(self, sql: str) -> list[list[Any]]:
        return list(json.loads(self.release.in_client(_QUERY, self.database_url, sql)))

    def difference(self) -> str:
        """Blank once the database equals the simulator's truth."""
        said = self.release.in_client(COMPARE, "--control", CONTROL, "--database", self.database_url, ok=False)
        if not said.startswith("offered "):
            raise AssertionError(f"nothing was compared: {said}")
        return "" if "missing 0, doubled 0, differing 0, never offered 0" in said and "(and 0 not)" in said else said

    def apply_source(self, *, requests_per_minute: int, pause_seconds: int = 1, page_size: int = 1000) -> None:
        self.release.apply(
            {
                "apiVersion": "mixhaul.io/v1alpha1",
                "kind": "MixSource",
                "metadata": {"name": NAME},
                "spec": {
                    "endpoint": {"apiURL": MIX, "identityURL": f"{MIX}/core", "insecure": True},
                    "secretRef": {"name": "mix"},
                    "stream": {"periodSeconds": max(1, pause_seconds), "pageSize": page_size},
                    "rateLimit": {"requestsPerMinute": requests_per_minute, "pauseSeconds": pause_seconds},
                },
            }
        )

    def apply_secret(self, *, password: str = Account().password) -> None:
        account = Account()
        values = {"clientID": account.client_id, "clientSecret": account.client_secret, "username": account.username}
        metadata = {"name": "mix"}
        value = {**values, "password": password}
        self.release.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": value})

    def condition(self, kind: str) -> tuple[str, str, str]:
        """Status, reason, message; blank where there is none yet."""
        found = self.release.one("mixsource", NAME).get("status", {}).get("conditions", [])
        return next(((one["status"], one["reason"], one["message"]) for one in found if one["type"] == kind), ("",) * 3)

    def until_ready(self, status: str = "True") -> None:
        try:
            eventually(lambda: self.condition("Ready")[0] == status, within=180)
        except AssertionError as error:
            raise AssertionError(
                f"Ready is not {status}: {self.release.one('mixsource', NAME).get('status')}"
            ) from error

    def sync_is_due(self) -> None:
        """The CronJob starts its missed run at once."""
        past = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        patch = json.dumps({"status": {"lastScheduleTime": past}})
        name = f"cronjob/mixhaul-sync-{NAME}"
        self.release.kubectl("patch", name, "--subresource=status", "--type=merge", f"--patch={patch}")

    def leader(self) -> str:
        """Name of the pod that holds the Lease; blank where nobody does."""
        holder = str(self.release.one("lease", "mixhaul-ingestor")["spec"].get("holderIdentity") or "")
        pods = [each["metadata"]["name"] for each in self.release.items("pods", "--selector", INGESTORS)]
        return next((pod for pod in pods if holder.startswith(pod)), "")


INGESTORS: Final = "app.kubernetes.io/component=ingestor"
