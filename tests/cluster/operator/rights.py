"""ServiceAccount, Role and RoleBinding of the operator, as the chart renders them, put into a namespace."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from chart.rendering import VALUES, component, of_kind, render
from cluster.controlplane import ControlPlane
from cluster.rights import RBAC, Rules

ACCOUNT: Final = "mixhaul-operator"


@cache
def _objects(namespace: str) -> list[dict[str, Any]]:
    return render(VALUES["little"], "--namespace", namespace)


def _ours(namespace: str, kind: str) -> dict[str, Any]:
    (found,) = (each for each in of_kind(_objects(namespace), kind).values() if component(each) == "operator")
    return found


def chart_rules() -> Rules:
    """What the chart grants."""
    return list(_ours("default", "Role")["rules"])


def grant(plane: ControlPlane, namespace: str, rules: Rules | None = None) -> None:
    """Nothing by hand: what isn't in the chart, the process may not do. `rules` are granted instead of the chart's."""
    account, role, binding = (_ours(namespace, kind) for kind in ("ServiceAccount", "Role", "RoleBinding"))
    assert account["metadata"]["name"] == role["metadata"]["name"] == ACCOUNT
    plane.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    chosen = role if rules is None else {**role, "rules": rules}
    plane.request("POST", f"{RBAC}/namespaces/{namespace}/roles", chosen)
    plane.request("POST", f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
