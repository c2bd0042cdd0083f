"""What the control plane proves about itself before anything of ours runs on it, one test each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.acts import cron_job_is_due, eventually, finish_pod, make_crd
from cluster.controlplane import ControlPlane
from cluster.errors import CommandFailed, Refused
from cluster.paths import HERE, VERSION

TOO_LARGE = "minSize must not exceed maxSize"
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.io"},
    "spec": {
        "group": "example.io",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"minSize": {"type": "integer"}, "maxSize": {"type": "integer"}},
                                "x-kubernetes-validations": [
                                    {
                                        "rule": "self.minSize <= self.maxSize",
                                        "message": "minSize must not exceed maxSize",
                                    }
                                ],
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


@pytest.fixture(scope="session")
def widgets(plane: ControlPlane) -> None:
    make_crd(plane, WIDGETS)


def widget(minimum: int, maximum: int) -> dict[str, Any]:
    spec = {"minSize": minimum, "maxSize": maximum}
    return {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": spec}


def daily_cron_job() -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "sync", "image": "localhost/none"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "sync"},
        "spec": {
            "schedule": "0 3 * * *",
            "timeZone": "Africa/Johannesburg",
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
        },
    }


@pytest.mark.usefixtures("widgets")
def test_cel_rule_refuses_with_its_own_sentence(plane: ControlPlane, namespace: str) -> None:
    path = f"/apis/example.io/v1/namespaces/{namespace}/widgets"
    made = plane.request("POST", path, widget(1, 2))
    with pytest.raises(Refused) as caught:
        plane.request("PUT", f"{path}/one", {**made, "spec": {"minSize": 3, "maxSize": 2}})
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert TOO_LARGE in caught.value.message


@pytest.mark.parametrize(("exit_code", "outcome"), [(0, "Complete"), (1, "Failed")])
def test_cron_job_makes_a_job_that_ends_as_its_pod_does(
    plane: ControlPlane, namespace: str, exit_code: int, outcome: str
) -> None:
    plane.request("POST", f"/apis/batch/v1/namespaces/{namespace}/cronjobs", daily_cron_job())
    cron_job_is_due(plane, namespace, "sync")
    jobs, pods = f"/apis/batch/v1/namespaces/{namespace}/jobs", f"/api/v1/namespaces/{namespace}/pods"

    (pod,) = eventually(lambda: plane.get(pods)["items"])
    assert pod["status"]["phase"] == "Pending"  # no node: it stays so until somebody says otherwise
    finish_pod(plane, pod, exit_code=exit_code)

    def ended() -> set[str]:
        (job,) = plane.get(jobs)["items"]
        conditions = job["status"].get("conditions", [])
        return {one["type"] for one in conditions if one["status"] == "True"} & {"Complete", "Failed"}

    assert eventually(ended) == {outcome}


def test_second_writer_of_a_lease_is_told_409(plane: ControlPlane, namespace: str) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    lease = plane.request("POST", path, {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "a"}})
    plane.request("PUT", f"{path}/leader", {**lease, "spec": {"holderIdentity": "b"}})
    with pytest.raises(Refused) as caught:
        plane.request("PUT", f"{path}/leader", {**lease, "spec": {"holderIdentity": "c"}})
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert plane.get(f"{path}/leader")["spec"]["holderIdentity"] == "b"


def test_service_account_may_do_what_its_role_says_and_no_more(
    plane: ControlPlane, namespace: str, kubeconfig_for: Callable[[str], Path]
) -> None:
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    plane.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "operator"}})
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["list"]}
    plane.request("POST", f"{rbac}/roles", {"metadata": {"name": "operator"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": namespace}],
    }
    plane.request("POST", f"{rbac}/rolebindings", binding)
    bound = kubeconfig_for("operator")

    assert json.loads(plane.kubectl("get", "leases", "-o", "json", kubeconfig=bound))["items"] == []
    with pytest.raises(CommandFailed) as caught:
        plane.kubectl("get", "secrets", kubeconfig=bound)
    assert f'User "system:serviceaccount:{namespace}:operator" cannot list resource "secrets"' in caught.value.output


def test_children_go_with_their_owner(plane: ControlPlane, namespace: str) -> None:
    cron_jobs, jobs = f"/apis/batch/v1/namespaces/{namespace}/cronjobs", f"/apis/batch/v1/namespaces/{namespace}/jobs"
    plane.request("POST", cron_jobs, daily_cron_job())
    cron_job_is_due(plane, namespace, "sync")
    eventually(lambda: plane.get(jobs)["items"])
    plane.request("DELETE", f"{cron_jobs}/sync", {"propagationPolicy": "Background"})
    eventually(lambda: not plane.get(jobs)["items"])


def test_restricted_namespace_refuses_what_is_not_hardened(plane: ControlPlane, namespace: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    plane.request("PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    pod = {"metadata": {"name": "bare"}, "spec": {"containers": [{"name": "bare", "image": "localhost/none"}]}}
    with pytest.raises(Refused) as caught:
        plane.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod)
    assert caught.value.code == 403
    assert "allowPrivilegeEscalation != false" in caught.value.message


def test_helm_installs_and_takes_away(plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(f"{{apiVersion: v2, name: one, version: 0.1.0, kubeVersion: '>={VERSION}'}}")
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "b"}}
    (tmp_path / "templates" / "one.yaml").write_text(json.dumps(manifest))

    plane.helm("install", "one", str(tmp_path), "--namespace", namespace)
    assert plane.get(f"/api/v1/namespaces/{namespace}/configmaps/one")["data"] == {"a": "b"}
    plane.helm("uninstall", "one", "--namespace", namespace)
    assert plane.get(f"/api/v1/namespaces/{namespace}/configmaps/one") is None


def test_api_server_comes_back_at_its_address_with_its_data() -> None:
    with ControlPlane(audit=True) as plane:  # one of its own: others need theirs
        plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": "kept"}})
        plane.stop_api_server()
        with pytest.raises(OSError, match="refused"):
            plane.request("GET", "/api/v1/namespaces/kept")
        plane.start_api_server()
        assert plane.get("/api/v1/namespaces/kept")["metadata"]["name"] == "kept"
        seen = [json.loads(line) for line in plane.audit_log.read_text().splitlines()]
    made = [one for one in seen if one["verb"] == "create" and one["objectRef"].get("name") == "kept"]
    assert {(one["objectRef"]["resource"], one["responseStatus"]["code"]) for one in made} >= {("namespaces", 201)}
    assert not plane.folder.exists()


def test_one_file_says_the_version() -> None:
    """The modules' pins cannot read it, so they are compared with it."""
    pins = (HERE / "tools" / "kubernetes" / "go.mod").read_text().splitlines()
    assert f"\tk8s.io/kubernetes {VERSION} // indirect" in pins
    assert f"\tk8s.io/apiserver v0.{VERSION.removeprefix('v1.')} // indirect" in pins


def test_server_says_its_version(plane: ControlPlane) -> None:
    assert plane.request("GET", "/version")["gitVersion"] == VERSION
