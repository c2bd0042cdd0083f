"""The CronJob of a MixSource on a real API server: made, updated, repaired, left alone, collected."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from cluster.acts import cron_job_is_due
from cluster.operator.bed import CONDITIONS, Bed, settled, until

pytestmark = pytest.mark.usefixtures("operator")

NAME = "mixhaul-sync-a"


def cron_job(bed: Bed) -> dict[str, Any]:
    found: dict[str, Any] = until(lambda: bed.get("cronjobs", NAME))
    return found


def foreign() -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x:1"}]}
    return {
        "metadata": {"name": NAME},
        "spec": {"schedule": "0 1 * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}},
    }


def test_made_from_the_pod_template(bed: Bed) -> None:
    source = bed.make_source("a", sync={"schedule": "15 3 * * *", "timeZone": "America/Sao_Paulo"})
    found = cron_job(bed)
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
    assert container["args"] == ["sync", "--manifest-env"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["MIXHAUL_DATA_DIR"] == "/data"
    manifest = yaml.safe_load(variables["MIXHAUL_MANIFEST"])
    assert manifest["spec"]["organisationIDs"] == ["101"]
    assert {"secretName": "mix", "defaultMode": 420} in [each.get("secret") for each in pod["volumes"]]
    assert until(lambda: settled(bed, "a"))
    status = bed.source("a")["status"]
    assert tuple(each["type"] for each in status["conditions"]) == CONDITIONS
    assert status["cronJob"]["generation"] == found["metadata"]["generation"]
    (event,) = until(lambda: bed.events("CronJobCreated"))
    assert (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == ("MixSource", "a")


def test_follows_the_spec(bed: Bed) -> None:
    bed.make_source("a")
    assert until(lambda: settled(bed, "a"))
    bed.change_source("a", suspend=True, sync={"schedule": "0 2 * * *"})
    assert until(lambda: settled(bed, "a"))
    found = cron_job(bed)
    assert (found["spec"]["suspend"], found["spec"]["schedule"]) == (True, "0 2 * * *")
    assert bed.condition("a", "Ready")[:2] == ("False", "Suspended")
    assert until(lambda: bed.events("Suspended"))
    bed.change_source("a", suspend=False)
    assert until(lambda: cron_job(bed)["spec"]["suspend"] is False)
    assert until(lambda: bed.condition("a", "Fresh")[1] == "NotPolled")


def test_follows_the_pod_template(bed: Bed) -> None:
    bed.make_source("a")
    cron_job(bed)
    bed.make_template(image="registry.example/mixhaul:2")

    def image() -> str:
        pod = cron_job(bed)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        return str(pod["containers"][0]["image"])

    assert until(lambda: image() == "registry.example/mixhaul:2")


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"spec": {"schedule": "* * * * *"}}, id="schedule"),
        pytest.param({"spec": {"suspend": True, "startingDeadlineSeconds": 10}}, id="a field added"),
        pytest.param({"metadata": {"labels": {"mixhaul.io/source": "other"}}}, id="label"),
    ],
)
def test_repaired_when_somebody_edits_it(bed: Bed, patch: dict[str, Any]) -> None:
    bed.make_source("a")
    assert until(lambda: settled(bed, "a"))
    before = cron_job(bed)
    bed.plane.request("PATCH", bed.path("cronjobs", NAME), patch)

    def repaired() -> bool:
        found = cron_job(bed)
        same = found["spec"] == before["spec"] and found["metadata"]["labels"] == before["metadata"]["labels"]
        return bool(same and found["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"])

    assert until(repaired)
    (event,) = until(lambda: bed.events("CronJobRepaired"))
    assert event["type"] == "Warning"


def test_made_again_when_somebody_deletes_it(bed: Bed) -> None:
    bed.make_source("a")
    assert until(lambda: settled(bed, "a"))
    before = cron_job(bed)["metadata"]["uid"]
    bed.delete("cronjobs", NAME)
    assert until(lambda: cron_job(bed)["metadata"]["uid"] != before)
    assert until(lambda: bed.events("CronJobRepaired"))


def test_labels_and_annotations_of_others_stay(bed: Bed) -> None:
    bed.make_source("a")
    assert until(lambda: settled(bed, "a"))
    theirs = {"metadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}}}
    bed.plane.request("PATCH", bed.path("cronjobs", NAME), theirs)
    bed.change_source("a", sync={"schedule": "0 2 * * *"})
    assert until(lambda: cron_job(bed)["spec"]["schedule"] == "0 2 * * *")
    metadata = cron_job(bed)["metadata"]
    assert (metadata["labels"]["team"], metadata["annotations"]["note"]) == ("x", "y")


def test_never_adopted_when_it_is_somebody_elses(bed: Bed) -> None:
    bed.plane.request("POST", bed.path("cronjobs"), foreign())
    bed.make_source("a")
    assert until(lambda: bed.condition("a", "Stalled")[:2] == ("True", "ForeignCronJob"))
    assert bed.condition("a", "Ready")[:2] == ("False", "ForeignCronJob")
    assert cron_job(bed)["spec"]["schedule"] == "0 1 * * *"
    (event,) = until(lambda: bed.events("ForeignCronJob"))
    assert (event["type"], NAME in event["message"]) == ("Warning", True)
    bed.delete("cronjobs", NAME)
    assert until(lambda: bed.condition("a", "Stalled")[:2] == ("False", "NotStalled"))
    assert cron_job(bed)["metadata"]["ownerReferences"][0]["name"] == "a"


def test_collected_with_its_source_and_made_for_the_next_of_that_name(bed: Bed) -> None:
    bed.make_source("a")
    before = cron_job(bed)["metadata"]["uid"]
    assert until(lambda: settled(bed, "a"))
    assert bed.source("a")["metadata"].get("finalizers") is None
    bed.delete("mixsources", "a")
    again = bed.make_source("a")["metadata"]["uid"]

    def ours() -> bool:
        metadata = (bed.get("cronjobs", NAME) or {"metadata": {}})["metadata"]
        return bool(metadata.get("uid") != before and metadata.get("ownerReferences", [{}])[0].get("uid") == again)

    assert until(ours)
    assert until(lambda: settled(bed, "a"))
    assert bed.condition("a", "Stalled")[:2] == ("False", "NotStalled")
    assert bed.events("ForeignCronJob") == []


def test_a_missing_pod_template_is_said_and_noticed(bed: Bed) -> None:
    bed.make_source("a")
    assert until(lambda: settled(bed, "a"))
    bed.delete("podtemplates", "mixhaul-sync")
    assert until(lambda: bed.condition("a", "Stalled")[:2] == ("True", "PodTemplateMissing"))
    assert bed.condition("a", "Ready")[1] == "PodTemplateMissing"
    assert "helm upgrade" in bed.condition("a", "Stalled")[2]
    assert bed.get("cronjobs", NAME)
    bed.make_template(image="registry.example/mixhaul:2")
    assert until(lambda: bed.condition("a", "Stalled")[1] == "NotStalled")
    pod = cron_job(bed)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example/mixhaul:2"


def test_what_the_api_server_does_not_take_is_said_once(bed: Bed) -> None:
    taken = {"name": "v", "mountPath": "/var/run/secrets/mixhaul/mix/"}
    container = {"name": "sync", "image": "x:1", "volumeMounts": [taken]}
    patch = {"template": {"spec": {"containers": [container], "volumes": [{"name": "v", "emptyDir": {}}]}}}
    bed.plane.request("PATCH", bed.path("podtemplates", "mixhaul-sync"), patch)
    bed.make_source("a")
    assert until(lambda: bed.condition("a", "Stalled")[:2] == ("True", "InvalidSpec"))
    assert "mountPath" in bed.condition("a", "Stalled")[2]
    bed.make_template()
    assert until(lambda: bed.condition("a", "Stalled")[1] == "NotStalled")


def test_a_job_that_is_made_by_it_carries_the_sources_label(bed: Bed) -> None:
    bed.make_source("a")
    cron_job(bed)
    cron_job_is_due(bed.plane, bed.namespace, NAME)
    jobs = f"/apis/batch/v1/namespaces/{bed.namespace}/jobs"
    (job,) = until(lambda: bed.plane.request("GET", jobs)["items"])
    assert job["metadata"]["labels"]["mixhaul.io/source"] == "a"
