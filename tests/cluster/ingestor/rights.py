"""ServiceAccount, Role and RoleBinding of the ingestor, as the chart renders them, put into a namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chart.rendering import VALUES, component, of_kind, render
from cluster.controlplane import ControlPlane
from cluster.rights import RBAC


@dataclass(frozen=True, slots=True)
class Rights:
    """What a pod of the ingestor is in this namespace."""

    account: str
    role: str
    lease: str
    rules: list[dict[str, Any]]


def grant(plane: ControlPlane, namespace: str) -> Rights:
    """Nothing by hand: what isn't in the chart, the process may not do."""
    objects = render(VALUES["little"], "--namespace", namespace)

    def ours(kind: str) -> dict[str, Any]:
        (found,) = (each for each in of_kind(objects, kind).values() if component(each) == "ingestor")
        return found

    account, role, binding = ours("ServiceAccount"), ours("Role"), ours("RoleBinding")
    plane.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    plane.request("POST", f"{RBAC}/namespaces/{namespace}/roles", role)
    plane.request("POST", f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    (container,) = ours("Deployment")["spec"]["template"]["spec"]["containers"]
    (lease,) = (each["value"] for each in container["env"] if each["name"] == "MIXHAUL_LEASE_NAME")
    return Rights(
        account=account["metadata"]["name"], role=role["metadata"]["name"], lease=lease, rules=list(role["rules"])
    )
