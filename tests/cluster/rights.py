"""What a Role grants, right by right; a Role without one of them; and what the API server's audit log says of it.

For the tests that show that no right of the chart is spare: each is taken away, a 403 seen, and what it is for fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from cluster.controlplane import ControlPlane

RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"

Rules = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource; `mixsources/status` is one of its own."""

    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


def rights_of(rules: Rules) -> list[Right]:
    """Each as often as it is granted."""
    return sorted(Right(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"])


def without(rules: Rules, *rights: Right) -> Rules:
    """The same rules, with these rights taken out."""
    found = []
    for rule in rules:
        for resource in rule["resources"]:
            verbs = [verb for verb in rule["verbs"] if Right(resource, verb) not in rights]
            if verbs:
                found.append({**rule, "resources": [resource], "verbs": verbs})
    return found


def set_rules(plane: ControlPlane, namespace: str, role: str, rules: Rules) -> None:
    """From now on."""
    plane.request("PATCH", f"{RBAC}/namespaces/{namespace}/roles/{role}", {"rules": rules})


def asked(plane: ControlPlane, *, namespace: str, account: str, right: Right) -> list[dict[str, Any]]:
    """The audit log's entries of what a ServiceAccount was answered by this right; the plane has to keep one."""
    user = f"system:serviceaccount:{namespace}:{account}"
    resource, _, part = right.resource.partition("/")
    found = []
    for line in plane.audit_log.read_text().splitlines():
        # Most are of others: parsing is what costs.
        if user not in line or not line.endswith("}"):
            continue
        entry = json.loads(line)
        reference = entry.get("objectRef", {})
        same = (entry["verb"], reference.get("resource"), reference.get("subresource", "")) == (
            right.verb,
            resource,
            part,
        )
        if same and entry["user"]["username"] == user and entry["stage"] != "RequestReceived":
            found.append(entry)
    return found


def refused(plane: ControlPlane, *, namespace: str, account: str, right: Right) -> bool:
    """Whether the API server has answered 403 to such a request."""
    entries = asked(plane, namespace=namespace, account=account, right=right)
    return any(each.get("responseStatus", {}).get("code") == 403 for each in entries)
