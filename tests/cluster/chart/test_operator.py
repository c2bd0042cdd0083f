"""The operator as a process on this host, with the ServiceAccount and the rights that the chart renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chart.rendering import CHART, VALUES
from cluster.acts import cron_job_is_due
from cluster.controlplane import ControlPlane
from cluster.operator.bed import Bed, settled, until


def test_sync_jobs_come_from_the_chart_s_template(
    plane: ControlPlane, namespace: str, database_url: str, tmp_path: Path
) -> None:
    """A source of `values.sources` gets its CronJob; the pod of its Job is admitted where `restricted` is enforced."""
    values: dict[str, Any] = yaml.safe_load(VALUES["four-logins"].read_text(encoding="utf-8"))
    spec = {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}, "organisationIDs": ["101"]}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({**values, "sources": [{"name": "fleet", "spec": spec}]}))
    plane.helm("install", "mixhaul", str(CHART), "--namespace", namespace, "--values", str(tmp_path / "values.yaml"))
    bed = Bed(plane=plane, namespace=namespace, database_url=database_url, folder=tmp_path)
    bed.make_secret()
    with bed.operator(pod_template="mixhaul-sync") as operator:
        made = until(lambda: bed.get("cronjobs", "mixhaul-sync-fleet"))
        until(lambda: settled(bed, "fleet"))
        pod = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"] == "registry.example/fleet/mixhaul:v7"
        assert pod["serviceAccountName"] == "mixhaul-sync"

        cron_job_is_due(plane, namespace, "mixhaul-sync-fleet")
        pods = f"/api/v1/namespaces/{namespace}/pods?labelSelector=mixhaul.io/source%3Dfleet"
        (sync,) = until(lambda: plane.request("GET", pods)["items"])
        assert sync["status"]["phase"] == "Pending"
        assert {each["name"] for each in sync["spec"]["volumes"]} >= {"database", "encryption", "mixhaul-mix"}
        assert bed.events("CronJobCreated") != []
        log = operator.log()
    assert "forbidden" not in log.lower()
