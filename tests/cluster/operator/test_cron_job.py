"""The CronJob of a MixSource on a real API server: made, updated, repaired, left alone, collected."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from cluster.operator.bed import CONDITIONS, Bed, settled, until

pytestmark = pytest.mark.usefixtures("operator")


def cron_job(bed: Bed, name: str = "a") -> dict[str, Any] | None:
    return bed.get("cronjobs", f"mixhaul-sync-{name}")


def test_made_from_the_pod_template(bed: Bed) -> None:
    source = bed.make_source("a", sync={"schedule": "15 3 * * *", "timeZone": "America/Sao_Paulo"})
    found = until(lambda: cron_job(bed))
    assert (found["spec"]["schedule"], found["spec"]["timeZone"]) == ("15 3 * * *", "America/Sao_Paulo")
    assert (found["spec"]["concurrencyPolicy"], found["spec"]["suspend"]) == ("Forbid", False)
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (source["metadata"]["uid"], True)
    pod = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["image"] == "registry.example/mixhaul:1"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["args"][0] == "sync"
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["MIXHAUL_DATA_DIR"] == "/data"
    manifest = yaml.safe_load(variables["MIXHAUL_MANIFEST"])
    assert manifest["spec"]["organisationIDs"] == ["101"]
    assert {"secretName": "mix", "defaultMode": 420} in [each.get("secret") for each in pod["volumes"]]
    assert until(lambda: settled(bed, "a"))
    conditions = [each["type"] for each in bed.source("a")["status"]["conditions"]]
    assert tuple(conditions) == CONDITIONS
