"""helm on a real API server: install, upgrade, uninstall, install again. There is no node, so pods stay Pending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, VALUES
from cluster.acts import eventually
from cluster.controlplane import ControlPlane
from cluster.errors import CommandFailed

SOURCE = {"name": "fleet", "spec": {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}}}
PODS = {"api": 2, "ingestor": 2, "operator": 1, "migrate": 1, "try-out-postgresql": 1}


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """The try-out, with a source."""
    found: dict[str, Any] = yaml.safe_load(VALUES["try-out"].read_text(encoding="utf-8"))
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump({**found, "sources": [SOURCE]}), encoding="utf-8")
    return path


def install(plane: ControlPlane, namespace: str, values: Path, *arguments: str, chart: Path = CHART) -> str:
    command = ["upgrade", "--install", "mixhaul", str(chart), "--namespace", namespace, "--values", str(values)]
    return plane.helm(*command, *arguments)


def names(plane: ControlPlane, path: str) -> set[str]:
    return {each["metadata"]["name"] for each in plane.request("GET", path)["items"]}


def test_pods_are_admitted_where_restricted_is_enforced(plane: ControlPlane, namespace: str, values: Path) -> None:
    notes = install(plane, namespace, values)
    assert "FOR TRYING OUT ONLY" in notes
    pods = f"/api/v1/namespaces/{namespace}/pods"

    def there() -> bool:
        found: dict[str, int] = {}
        for each in plane.request("GET", pods)["items"]:
            who = each["metadata"]["labels"]["app.kubernetes.io/component"]
            found[who] = found.get(who, 0) + 1
        return found == PODS

    eventually(there)
    (hook,) = plane.helm("get", "hooks", "mixhaul", "--namespace", namespace).split("\n---\n")
    pod = yaml.safe_load(hook)
    plane.request("POST", pods, pod)
    assert "mixhaul-test" in names(plane, pods)


def test_an_upgrade_keeps_passwords_and_makes_another_migration(
    plane: ControlPlane, namespace: str, values: Path
) -> None:
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    secret = f"/api/v1/namespaces/{namespace}/secrets/mixhaul-try-out-postgresql"
    install(plane, namespace, values)
    first, made = names(plane, jobs), plane.request("GET", secret)["data"]
    install(plane, namespace, values)
    assert (names(plane, jobs), plane.request("GET", secret)["data"]) == (first, made)
    install(plane, namespace, values, "--set", "image.tag=v2", "--set", "log.level=debug")
    second = names(plane, jobs)
    assert len(second) == 1
    assert second != first
    assert plane.request("GET", secret)["data"] == made


def test_an_uninstall_leaves_sources_passwords_and_the_kind(plane: ControlPlane, namespace: str, values: Path) -> None:
    sources = f"/apis/mixhaul.io/v1alpha1/namespaces/{namespace}/mixsources"
    secret = f"/api/v1/namespaces/{namespace}/secrets/mixhaul-try-out-postgresql"
    install(plane, namespace, values)
    before, made = plane.request("GET", f"{sources}/fleet"), plane.request("GET", secret)["data"]
    plane.helm("uninstall", "mixhaul", "--namespace", namespace)
    assert plane.request("GET", f"{sources}/fleet")["metadata"]["uid"] == before["metadata"]["uid"]
    eventually(lambda: not names(plane, f"/apis/apps/v1/namespaces/{namespace}/deployments"))

    install(plane, namespace, values)
    assert plane.request("GET", f"{sources}/fleet")["metadata"]["uid"] == before["metadata"]["uid"]
    assert plane.request("GET", secret)["data"] == made


def test_a_source_that_leaves_the_values_stays(plane: ControlPlane, namespace: str, values: Path) -> None:
    install(plane, namespace, values)
    install(plane, namespace, VALUES["try-out"])
    assert names(plane, f"/apis/mixhaul.io/v1alpha1/namespaces/{namespace}/mixsources") == {"fleet"}


def test_helm_brings_the_kind_at_first_and_one_command_upgrades_it(
    bare_plane: ControlPlane, older_chart: Path, values: Path
) -> None:
    plane = bare_plane
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mixsources.mixhaul.io"
    install(plane, "default", values, chart=older_chart)
    assert "What was wanted." in json.dumps(plane.request("GET", crd))
    command = documented_command()
    said = plane.kubectl(*command)
    assert "serverside-applied" in said
    assert "What was wanted." not in json.dumps(plane.request("GET", crd))
    uid = plane.request("GET", "/apis/mixhaul.io/v1alpha1/namespaces/default/mixsources/fleet")["metadata"]["uid"]
    install(plane, "default", values)
    after = plane.request("GET", "/apis/mixhaul.io/v1alpha1/namespaces/default/mixsources/fleet")
    assert after["metadata"]["uid"] == uid


def documented_command() -> list[str]:
    """As the chart's README has it, run from the root of the repository."""
    lines = (CHART / "README.md").read_text(encoding="utf-8").splitlines()
    (line,) = (each.strip() for each in lines if each.startswith("    kubectl apply") and "crds/" in each)
    words = line.split()
    assert words.pop(0) == "kubectl"
    return [str(CHART / "crds") if word == "charts/mixhaul/crds/" else word for word in words]


@pytest.mark.parametrize("account", ["mixhaul-api", "mixhaul-sync", "mixhaul-migrate", "mixhaul-try-out-postgresql"])
def test_who_does_not_talk_to_the_api_server_may_do_nothing(
    plane: ControlPlane, namespace: str, values: Path, account: str
) -> None:
    install(plane, namespace, values)
    bound = plane.kubeconfig_for(namespace=namespace, service_account=account)
    for verb, what in (("get", "secrets"), ("list", "mixsources"), ("list", "pods"), ("create", "events")):
        with pytest.raises(CommandFailed) as caught:
            plane.kubectl("auth", "can-i", verb, what, "--namespace", namespace, kubeconfig=bound)
        assert caught.value.output.startswith("no")
