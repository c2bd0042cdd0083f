"""The pods: hardened, probed, ended gently; also the sync job's as the operator makes it."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from chart.rendering import (
    NEWEST,
    OLDEST,
    VALUES,
    Container,
    component,
    containers,
    of_kind,
    one,
    pods,
    render,
    rendered,
)
from mixhaul_operator.cronjob import desired
from mixhaul_source.model import MixSourceSpec

every_values_file = pytest.mark.parametrize("name", VALUES)
WITH_ADMIN_PORT = {"operator", "ingestor", "api"}


def sync_cron_job(name: str) -> dict[str, Any]:
    """As the operator makes it of what the chart renders."""
    (template,) = of_kind(rendered(name), "PodTemplate").values()
    spec = {
        "endpoint": {"dataCentre": "eu", "caSecretRef": {"name": "ca"}},
        "secretRef": {"name": "mix"},
        "organisationIDs": ["101"],
    }
    source = {"metadata": {"name": "fleet", "namespace": "fleet", "uid": "1"}, "spec": spec}
    return dict(desired(source, MixSourceSpec.model_validate(spec), template).value)


def all_objects(name: str) -> list[dict[str, Any]]:
    return [*rendered(name), sync_cron_job(name)]


@every_values_file
def test_pods_satisfy_pod_security_restricted(name: str) -> None:
    for owner, pod in pods(all_objects(name)):
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), owner["metadata"]["name"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {next(iter(set(each) - {"name"})) for each in spec["volumes"]} <= {"emptyDir", "secret", "configMap"}
    for container in containers(all_objects(name)):
        context = container.value["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, container
        assert context["capabilities"] == {"drop": ["ALL"]}, container
        assert context["readOnlyRootFilesystem"] is True, container
        assert not context["privileged"], container
        assert "hostPort" not in str(container.value), container


@every_values_file
def test_only_who_talks_to_the_api_server_has_a_token(name: str) -> None:
    objects = all_objects(name)
    for owner, pod in pods(objects):
        wanted = owner["kind"] == "Deployment" and component(owner) in ("operator", "ingestor")
        assert pod["spec"]["automountServiceAccountToken"] is wanted, owner["metadata"]["name"]
        assert pod["spec"]["enableServiceLinks"] is False
    assert {each["automountServiceAccountToken"] for each in of_kind(objects, "ServiceAccount").values()} == {False}


@every_values_file
def test_every_pod_has_its_own_account_which_is_there(name: str) -> None:
    objects = rendered(name)
    there = set(of_kind(objects, "ServiceAccount"))
    used = {component(owner): pod["spec"]["serviceAccountName"] for owner, pod in pods(objects)}
    assert used.pop("test") == used["api"]
    assert len(set(used.values())) == len(used)
    assert set(used.values()) - there == ({"somebody"} if name == "everything" else set())


@every_values_file
def test_every_container_says_what_it_needs(name: str) -> None:
    for container in containers(all_objects(name)):
        resources = container.value["resources"]
        assert resources["requests"]["cpu"], container
        assert resources["requests"].get("memory"), container
        assert resources["limits"]["memory"], container


@every_values_file
def test_probes_give_a_slow_start_its_time(name: str) -> None:
    found = {
        component(each.owner): each.value for each in containers(rendered(name)) if each.owner["kind"] == "Deployment"
    }
    assert set(found) == WITH_ADMIN_PORT
    for value in found.values():
        ports = {each["name"]: each["containerPort"] for each in value["ports"]}
        assert ports["admin"] == 8081
        for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
            assert value[probe]["httpGet"] == {"path": path, "port": "admin"}
        assert value["startupProbe"]["failureThreshold"] >= 30


@every_values_file
def test_the_api_rolls_without_a_failed_request(name: str) -> None:
    api = one(rendered(name), "Deployment", "fleet-api" if name == "everything" else "mixhaul-api")
    assert api["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (container,) = containers([api])
    assert container.value["lifecycle"]["preStop"] == {"sleep": {"seconds": 2}}
    assert api["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 20


def test_before_kubernetes_1_30_the_pause_is_a_program() -> None:
    (container,) = containers([one(rendered("try-out", OLDEST), "Deployment", "mixhaul-api")])
    assert container.value["lifecycle"]["preStop"] == {"exec": {"command": ["sleep", "2"]}}


@every_values_file
def test_replicas_and_what_guards_them(name: str) -> None:
    objects = rendered(name)
    deployments = {component(each): each["spec"] for each in objects if each["kind"] == "Deployment"}
    assert (deployments["operator"]["replicas"], deployments["operator"]["strategy"]) == (1, {"type": "Recreate"})
    spread = deployments["ingestor"]["template"]["spec"]["topologySpreadConstraints"]
    assert [each["maxSkew"] for each in spread] == [1]
    assert [each["labelSelector"] for each in spread] == [deployments["ingestor"]["selector"]]
    budgets = {component(each): each["spec"] for each in of_kind(objects, "PodDisruptionBudget").values()}
    scaler = of_kind(objects, "HorizontalPodAutoscaler")
    if name == "everything":
        assert "replicas" not in deployments["api"]
        assert scaler["fleet-api"]["spec"]["scaleTargetRef"]["name"] == "fleet-api"
        assert budgets == {}
        return
    assert scaler == {}
    assert set(budgets) == {"ingestor", "api"}
    for who, budget in budgets.items():
        assert budget["maxUnavailable"] == 1
        assert budget["selector"] == deployments[who]["selector"]


@every_values_file
def test_selectors_find_the_pods_and_never_change_with_the_chart(name: str) -> None:
    for each in rendered(name):
        if each["kind"] in ("Deployment", "StatefulSet"):
            wanted = each["spec"]["selector"]["matchLabels"]
            assert wanted.items() <= each["spec"]["template"]["metadata"]["labels"].items()
            assert set(wanted) == {f"app.kubernetes.io/{part}" for part in ("name", "instance", "component")}


@every_values_file
def test_the_cron_job_of_the_operator_is_a_valid_one(name: str) -> None:
    cron_job = sync_cron_job(name)
    kubernetes_validate.validate(cron_job, NEWEST.removesuffix(".0"), strict=True)
    labels = cron_job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "sync"
    assert labels["app.kubernetes.io/instance"] == "mixhaul"


@every_values_file
def test_all_pods_run_the_one_image(name: str) -> None:
    images = {str(each.value["image"]) for each in containers(all_objects(name))}
    assert len(images) == 1
    (image,) = images
    if name == "everything":
        assert image.startswith("registry.example/fleet/hauler@sha256:")
    else:
        assert image.rpartition("/")[2] == ("mixhaul:v7" if name == "four-logins" else "mixhaul:0.1.0")


def test_a_tag_of_one_s_own(tmp_path: Any) -> None:
    objects = render(VALUES["try-out"], "--set", "image.tag=v7,image.registry=")
    assert {str(each.value["image"]) for each in containers(objects)} == {"mixhaul:v7"}


def test_a_component_s_own_settings_go_before_the_common_ones() -> None:
    specs = {component(owner): pod["spec"] for owner, pod in pods(rendered("everything"))}
    assert specs["operator"]["priorityClassName"] == "system-cluster-critical"
    assert specs["api"]["priorityClassName"] == "fleet"
    assert specs["sync"]["nodeSelector"] == {"pool": "batch"}
    assert specs["migrate"]["nodeSelector"] == {"kubernetes.io/arch": "amd64"}
    labels = {component(owner): pod["metadata"]["labels"] for owner, pod in pods(rendered("everything"))}
    assert (labels["operator"]["one"], labels["operator"]["cost-centre"]) == ("more", "4711")
    assert labels["api"]["sidecar.istio.io/inject"] == "false"


def test_on_openshift_the_cluster_chooses_the_users() -> None:
    for _, pod in pods(rendered("openshift")):
        assert set(pod["spec"]["securityContext"]) == {"runAsNonRoot", "seccompProfile"}


def the_container(name: str, who: str) -> Container:
    (found,) = (each for each in containers(rendered(name)) if component(each.owner) == who)
    return found


def test_the_migration_is_another_job_when_anything_about_it_is_another() -> None:
    def job(*settings: str) -> str:
        (found,) = of_kind(render(VALUES["one-login"], *settings), "Job")
        return found

    names = [
        job(),
        job("--set", "image.tag=v2"),
        job("--set", "log.level=debug"),
        job("--set", "migrate.resources.limits.memory=1Gi"),
    ]
    assert len(set(names)) == len(names)
    assert job() == names[0]
    assert job("--set", "api.replicas=5") == names[0]
    (found,) = of_kind(rendered("one-login"), "Job").values()
    assert "annotations" not in found["metadata"]


def test_the_try_out_database_starts_again_only_when_its_image_or_itself_changes() -> None:
    def pod(*settings: str) -> Any:
        return one(render(VALUES["try-out"], *settings), "StatefulSet", "mixhaul-try-out-postgresql")["spec"][
            "template"
        ]

    assert pod("--set", "log.level=debug,api.replicas=5,proxy.https=http://proxy") == pod()
    assert pod("--set", "image.tag=v2") != pod()
