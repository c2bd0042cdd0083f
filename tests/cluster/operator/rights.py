"""The least rights that the operator works with: what the chart's Role says, by hand."""

from __future__ import annotations

from typing import Any, Final

from cluster.controlplane import ControlPlane

ACCOUNT: Final = "mixhaul-operator"

RULES: Final[list[dict[str, Any]]] = [
    {"apiGroups": ["mixhaul.io"], "resources": ["mixsources"], "verbs": ["list", "watch", "patch"]},
    {"apiGroups": ["mixhaul.io"], "resources": ["mixsources/status"], "verbs": ["patch"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get", "list", "watch", "create", "update"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]},
    {
        "apiGroups": [""],
        "resources": ["podtemplates"],
        "resourceNames": ["mixhaul-sync"],
        "verbs": ["list", "watch"],
    },
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]


def grant(plane: ControlPlane, namespace: str, rules: list[dict[str, Any]] | None = None) -> None:
    """ServiceAccount, Role and RoleBinding."""
    api = "/apis/rbac.authorization.k8s.io/v1"
    named = {"metadata": {"name": ACCOUNT}}
    plane.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", named)
    plane.request("POST", f"{api}/namespaces/{namespace}/roles", {**named, "rules": RULES if rules is None else rules})
    plane.request(
        "POST",
        f"{api}/namespaces/{namespace}/rolebindings",
        {
            **named,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
        },
    )
