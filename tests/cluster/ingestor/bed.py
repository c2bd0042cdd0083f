"""A namespace with the chart's rights, a simulator and a PostgreSQL; ingestors as processes that look like pods.

Each has a folder with token, CA and namespace as kubelet would project them, and the two variables that say where the
API server is: that server itself, or a proxy that spoils the way.
"""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import yaml

from cluster.acts import eventually
from cluster.controlplane import ControlPlane
from cluster.errors import Refused
from cluster.ingestor.rights import Rights, grant
from faults.bed import Bed as Haul

SKEWED = Path(__file__).with_name("skewed.py")
SHORT = {
    "MIXHAUL_LEASE_DURATION_SECONDS": "3",
    "MIXHAUL_LEASE_RENEW_DEADLINE_SECONDS": "2",
    "MIXHAUL_LEASE_RETRY_SECONDS": "0.4",
    "MIXHAUL_TRANSIT_SECONDS": "0.5",
    "MIXHAUL_BACKOFF_SECONDS": "0.05",
}
SMALL = ("--drivers", "6", "--vehicles", "5", "--organisations", "2", "--event-types", "15")
FAST = ("--requests-per-minute", "1200", "--pause-seconds", "1", "--events-per-minute", "600", "--history-days", "0.1")

# Each write of a feed's position, with who wrote it and whether it was the leader of that moment.
TRAIL = """
CREATE TABLE trail (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz, writer text, epoch bigint, leader text);
CREATE FUNCTION leave_trail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO trail (at, writer, epoch, leader)
    SELECT clock_timestamp(), current_setting('application_name'), epoch, 'mixhaul:' || holder FROM leader_epochs;
    RETURN NEW; END $$;
CREATE TRIGGER leave_trail AFTER UPDATE OF last_successful_sincetoken ON etl_control
    FOR EACH ROW EXECUTE FUNCTION leave_trail()
"""


@dataclass(slots=True)
class Pod:
    """A process of the ingestor that believes to be in a pod."""

    name: str
    account: Path
    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log's lines with this event."""
        return [line for line in self._all() if line.get("event") == event]

    def _all(self) -> Iterator[dict[str, Any]]:
        for line in self.log().splitlines():
            if line.startswith("{") and line.endswith("}"):
                yield json.loads(line)

    @property
    def port(self) -> int:
        """Of the admin server."""
        found = eventually(lambda: self.lines("admin port"))
        return int(found[0]["port"])

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """SIGTERM, and the exit code."""
        self.send(signal.SIGTERM)
        return self.process.wait(timeout=30)


@dataclass(slots=True)
class Bed:
    """One namespace. `haul` has the database, the simulator and the processes."""

    plane: ControlPlane
    namespace: str
    haul: Haul
    rights: Rights
    _starts: int = field(default=0)

    # -- what is in the cluster

    def path(self, plural: str, name: str = "") -> str:
        root = {
            "mixsources": "/apis/mixhaul.io/v1alpha1",
            "leases": "/apis/coordination.k8s.io/v1",
            "roles": "/apis/rbac.authorization.k8s.io/v1",
        }.get(plural, "/api/v1")
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def make_secret(self, name: str = "mix", values: Mapping[str, str] | None = None) -> None:
        """Made, or made anew."""
        given = self.login() | dict(values or {})
        data = {key: base64.b64encode(value.encode()).decode() for key, value in given.items() if value}
        body = {"metadata": {"name": name}, "data": data}
        try:
            self.plane.request("POST", self.path("secrets"), body)
        except Refused as error:
            if error.code != 409:
                raise
            self.plane.request("PUT", self.path("secrets", name), body)

    def login(self) -> dict[str, str]:
        """What the simulator takes."""
        return dict(self._manifest("Secret")["stringData"])

    def make_source(self, name: str, **spec: Any) -> None:
        """Like the simulator's own manifest, with the Secret `mix`."""
        wanted = {**self._manifest("MixSource")["spec"], "secretRef": {"name": "mix"}, **spec}
        body = {"apiVersion": "mixhaul.io/v1alpha1", "kind": "MixSource", "metadata": {"name": name}, "spec": wanted}
        self.plane.request("POST", self.path("mixsources"), body)

    def change_source(self, name: str, **spec: Any) -> None:
        self.plane.request("PATCH", self.path("mixsources", name), {"spec": spec})

    def delete(self, plural: str, name: str) -> None:
        self.plane.request("DELETE", self.path(plural, name))

    def lease(self) -> dict[str, Any]:
        """The Lease's spec; empty where there is none."""
        found = self.plane.get(self.path("leases", self.rights.lease))
        return dict(found["spec"]) if found else {}

    def holder(self) -> str:
        """The name of the pod that has the Lease; blank for nobody."""
        return str(self.lease().get("holderIdentity") or "").rpartition("-")[0]

    def _manifest(self, kind: str) -> dict[str, Any]:
        documents = yaml.safe_load_all(self.haul.simulator.manifest.read_text(encoding="utf-8"))
        return next(dict(each) for each in documents if each["kind"] == kind)

    # -- what is in the database and at MiX

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.haul.url) as connection:
            return connection.execute(query.encode()).fetchall()

    def leader(self) -> str:
        """The name of the pod whose epoch it is."""
        found = self.rows("SELECT holder FROM leader_epochs")
        return str(found[0][0]).rpartition("-")[0] if found else ""

    def writes(self) -> list[tuple[datetime, str, int, str]]:
        """The trail: when, by whom, in which epoch, and whose that was."""
        return [(at, *rest) for at, *rest in self.rows("SELECT at, writer, epoch, leader FROM trail ORDER BY id")]

    def pages(self, source: str) -> int:
        """Committed pages of a source with events."""
        query = "SELECT count(*) FROM raw_pages p JOIN organisations o ON o.id = p.organisation_id WHERE o.source = "
        return int(self.rows(f"{query}'{self.namespace}/{source}'")[0][0])

    def flows(self, source: str) -> bool:
        """Whether another page of it gets committed."""
        before = self.pages(source)
        return bool(eventually(lambda: self.pages(source) > before, within=60))

    def organisations(self) -> list[str]:
        """MiX's ids."""
        found = self.haul.simulator.call("GET", "/control/truth/organisations")
        return [str(each["GroupId"]) for each in found["organisations"]]

    # -- the ingestor

    def start(
        self,
        name: str = "a",
        *arguments: str,
        port: int | None = None,
        token: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Pod:
        """`stream` as in a pod; `port` is that of a proxy before the API server."""
        self._starts += 1
        folder = self.haul.folder / f"{name}-{self._starts}"
        account = folder / "serviceaccount"
        account.mkdir(parents=True)
        (account / "namespace").write_text(self.namespace)
        (account / "ca.crt").write_bytes(self.plane.access.authority.read_bytes())
        (account / "token").write_text(token or self.token())
        environment = self.haul.env(
            {
                "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                "KUBERNETES_SERVICE_PORT": str(port or urlsplit(self.plane.access.url).port),
                "MIXHAUL_SERVICE_ACCOUNT_DIR": str(account),
                "MIXHAUL_LEASE_NAME": self.rights.lease,
                "MIXHAUL_HOLDER": name,
                **(extra or {}),
            }
        )
        log_file = folder / "log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", sys.executable, str(SKEWED), "stream", "--no-live", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.haul.running.append(process)
        return Pod(name, account, process, log_file)

    def token(self) -> str:
        return self.plane.token_for(namespace=self.namespace, service_account=self.rights.account)

    def leads(self, name: str) -> bool:
        """Waits until it has the Lease and the epoch."""
        return bool(eventually(lambda: self.holder() == name and self.leader() == name, within=60))


def make_bed(plane: ControlPlane, namespace: str, haul: Haul) -> Bed:
    """The namespace is there, and the kind."""
    return Bed(plane=plane, namespace=namespace, haul=haul, rights=grant(plane, namespace))
