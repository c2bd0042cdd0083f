"""Who may do and reach what: Roles, NetworkPolicies, Services, monitoring, sources."""

from __future__ import annotations

from typing import Any

import pytest

from chart.rendering import VALUES, component, of_kind, one, pods, rendered

every_values_file = pytest.mark.parametrize("name", VALUES)
Right = tuple[str, str, str]


def rights(role: dict[str, Any]) -> list[Right]:
    return [
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


@every_values_file
def test_roles_are_bound_to_the_accounts_of_their_components(name: str) -> None:
    objects = rendered(name)
    accounts = {component(owner): pod["spec"]["serviceAccountName"] for owner, pod in pods(objects)}
    bindings = of_kind(objects, "RoleBinding").values()
    assert {component(each) for each in bindings} == {"operator", "ingestor"}
    for each in bindings:
        assert each["roleRef"]["name"] in of_kind(objects, "Role")
        assert each["subjects"] == [{"kind": "ServiceAccount", "name": accounts[component(each)], "namespace": "fleet"}]


@every_values_file
def test_rights_are_the_least_and_none_is_given_twice(name: str) -> None:
    roles = {component(each): each for each in of_kind(rendered(name), "Role").values()}
    operator, ingestor = rights(roles["operator"]), rights(roles["ingestor"])
    assert sorted(operator) == [
        ("", "events", "create"),
        ("", "podtemplates", "list"),
        ("", "podtemplates", "watch"),
        ("", "secrets", "list"),
        ("", "secrets", "watch"),
        ("batch", "cronjobs", "create"),
        ("batch", "cronjobs", "get"),
        ("batch", "cronjobs", "list"),
        ("batch", "cronjobs", "update"),
        ("batch", "cronjobs", "watch"),
        ("mixhaul.io", "mixsources", "list"),
        ("mixhaul.io", "mixsources", "patch"),
        ("mixhaul.io", "mixsources", "watch"),
        ("mixhaul.io", "mixsources/status", "patch"),
    ]
    assert sorted(ingestor) == [
        ("", "secrets", "list"),
        ("", "secrets", "watch"),
        ("coordination.k8s.io", "leases", "create"),
        ("coordination.k8s.io", "leases", "get"),
        ("coordination.k8s.io", "leases", "update"),
        ("coordination.k8s.io", "leases", "watch"),
        ("mixhaul.io", "mixsources", "list"),
        ("mixhaul.io", "mixsources", "watch"),
    ]
    (template,) = of_kind(rendered(name), "PodTemplate")
    (narrowed,) = (each for each in roles["operator"]["rules"] if each["resources"] == ["podtemplates"])
    assert narrowed["resourceNames"] == [template]
    (deployment,) = (each for each in of_kind(rendered(name), "Deployment").values() if component(each) == "ingestor")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (lease,) = (each["value"] for each in container["env"] if each["name"] == "MIXHAUL_LEASE_NAME")
    named = {tuple(each["verbs"]): each.get("resourceNames") for each in roles["ingestor"]["rules"]}
    assert named[("get", "watch", "update")] == [lease]
    assert named[("create",)] is None


def policy(name: str, who: str) -> dict[str, Any]:
    (found,) = (each for each in of_kind(rendered(name), "NetworkPolicy").values() if component(each) == who)
    return dict(found["spec"])


def ports(ways: list[dict[str, Any]]) -> set[int]:
    return {port["port"] for way in ways for port in way["ports"]}


@every_values_file
def test_every_pod_has_a_policy_that_finds_it(name: str) -> None:
    objects = rendered(name)
    policies = [each["spec"]["podSelector"]["matchLabels"] for each in of_kind(objects, "NetworkPolicy").values()]
    if name == "little":
        assert policies == []
        return
    for owner, pod in pods(objects):
        labels = pod["metadata"]["labels"]
        assert [each for each in policies if each.items() <= labels.items()] != [], owner["metadata"]["name"]
    assert len(policies) == len(list(pods(objects)))


def test_only_what_is_meant_comes_in() -> None:
    assert ports(policy("try-out", "api")["ingress"]) == {8080, 8081}
    for who in ("operator", "ingestor"):
        assert ports(policy("try-out", who)["ingress"]) == {8081}
    for who in ("sync", "migrate", "test"):
        assert policy("try-out", who).get("ingress", []) == []
        assert policy("try-out", who)["policyTypes"] == ["Ingress"]
    (way,) = policy("try-out", "try-out-postgresql")["ingress"]
    assert way["ports"] == [{"port": 5432, "protocol": "TCP"}]
    assert way["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "mixhaul"


def test_only_what_is_named_goes_out() -> None:
    out = {who: policy("everything", who) for who in ("operator", "ingestor", "api", "sync", "migrate", "test")}
    assert {who: ports(each["egress"]) for who, each in out.items()} == {
        "operator": {53, 6443, 5432},
        "ingestor": {53, 6443, 5432, 443},
        "api": {53, 5432},
        "sync": {53, 5432, 443},
        "migrate": {53, 5432},
        "test": {53, 8080},
    }
    assert all(each["policyTypes"] == ["Ingress", "Egress"] for each in out.values())
    assert all(way["to"] for each in out.values() for way in each["egress"])
    try_out = policy("try-out-without-volume", "sync")["egress"]
    assert ports(try_out) == {53, 5432, 8000}
    assert policy("try-out-without-volume", "try-out-postgresql").get("egress", []) == []


def test_services_lead_to_the_pods() -> None:
    for name, api in (("try-out", "mixhaul-api"), ("everything", "fleet-api")):
        deployment = one(rendered(name), "Deployment", api)
        service = one(rendered(name), "Service", api)
        assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
        assert [each["targetPort"] for each in service["spec"]["ports"]] == ["http"]


def test_the_ingress_leads_to_the_service() -> None:
    ingress = one(rendered("everything"), "Ingress", "fleet-api")["spec"]
    assert [each["host"] for each in ingress["rules"]] == ["fleet.example.com", "drivers.example.com"]
    backend = ingress["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "fleet-api", "port": {"name": "http"}}
    assert ingress["tls"] == [{"secretName": "fleet-tls", "hosts": ["fleet.example.com", "drivers.example.com"]}]


def test_monitoring_finds_the_admin_ports() -> None:
    objects = rendered("everything")
    monitor = one(objects, "ServiceMonitor", "fleet")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    found = [
        each for each in of_kind(objects, "Service").values() if wanted.items() <= each["metadata"]["labels"].items()
    ]
    assert {component(each) for each in found} == {"operator", "ingestor", "api"}
    for each in found:
        assert [(port["name"], port["targetPort"]) for port in each["spec"]["ports"]] == [("metrics", "admin")]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    scraped = {
        component(owner)
        for owner, pod in pods(rendered("little"))
        if pod["metadata"].get("annotations", {}).get("prometheus.io/port") == "8081"
    }
    assert scraped == {"operator", "ingestor", "api"}


def test_sources_are_kept_whatever_anybody_says() -> None:
    sources = of_kind(rendered("everything"), "MixSource")
    assert set(sources) == {"fleet", "second.fleet"}
    assert {each["metadata"]["annotations"]["helm.sh/resource-policy"] for each in sources.values()} == {"keep"}
    assert sources["fleet"]["spec"]["organisationIDs"] == ["-1234567890123456789", "9223372036854775807"]
    assert sources["fleet"]["metadata"]["labels"]["app.kubernetes.io/component"] == "source"
    assert sources["fleet"]["metadata"]["annotations"]["mixhaul.io/request"] == "sync"
