"""Each CEL rule of the CRD on the real API server, with objects that pass and one that fails with its message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cluster.errors import Refused
from cluster.source.asking import Asking, spec
from mixhaul_source import crd, rules, scalars

SIMULATOR = {"apiURL": "http://mix.example", "identityURL": "http://mix.example/core", "insecure": True}
OWN = {"apiURL": "https://mix.example", "identityURL": "https://mix.example/core"}

PASSES: dict[rules.Rule, list[dict[str, Any]]] = {
    rules.ID_FORM: [spec(organisationIDs=["0", "-1", "1234567890123456789"])],
    rules.ID_WITHIN_INT64: [spec(organisationIDs=[str(scalars.INT64_MIN), str(scalars.INT64_MAX)])],
    rules.URL_FORM: [spec(endpoint=OWN), spec(endpoint={**OWN, "apiURL": "https://[2001:db8::1]:8443/mix"})],
    rules.CRON_FORM: [spec(sync={"schedule": each}) for each in ("30 4 * * *", "*/5 0-6,22 1 JAN MON-FRI")],
    rules.TIME_ZONE_FORM: [spec(sync={"timeZone": each}) for each in ("America/Sao_Paulo", "Etc/GMT+3", "UTC")],
    rules.START_FORM: [
        spec(stream={"startFrom": each})
        for each in ("Oldest", "Now", "2026-11-01", "2026-11-01T06:00:00Z", "2026-11-01T06:00:00.25-03:00")
    ],
    rules.ONE_ENDPOINT: [spec(), spec(endpoint=OWN)],
    rules.BOTH_URLS: [spec(endpoint=OWN)],
    rules.HTTPS: [spec(endpoint=SIMULATOR)],
    rules.PERIOD: [spec(stream={"periodSeconds": 30}), spec(endpoint=SIMULATOR, stream={"periodSeconds": 1})],
    rules.PAUSE: [spec(rateLimit={"pauseSeconds": 30}), spec(endpoint=SIMULATOR, rateLimit={"pauseSeconds": 0})],
}
FAILS: dict[rules.Rule, list[dict[str, Any]]] = {
    rules.ID_FORM: [spec(organisationIDs=[each]) for each in ("007", "+1", "-0", "1.0", "", "x")],
    rules.ID_WITHIN_INT64: [spec(organisationIDs=[str(each)]) for each in (scalars.INT64_MIN - 1, 2**63)],
    rules.URL_FORM: [
        spec(endpoint={**OWN, "apiURL": each})
        for each in ("mix.example", "https://a:b@mix.example", "https://mix.example?x=1", "ftp://mix.example")
    ],
    rules.CRON_FORM: [spec(sync={"schedule": each}) for each in ("@daily", "0 0 4 * * *", "0 4 * * 7")],
    rules.TIME_ZONE_FORM: [spec(sync={"timeZone": each}) for each in ("+03:00", "America/Sao Paulo")],
    rules.START_FORM: [spec(stream={"startFrom": each}) for each in ("oldest", "2026-11", "2026-11-01T06:00:00")],
    rules.ONE_ENDPOINT: [spec(endpoint={}), spec(endpoint={"dataCentre": "eu", **OWN})],
    rules.BOTH_URLS: [spec(endpoint={"apiURL": "https://mix.example"})],
    rules.HTTPS: [
        spec(endpoint={**OWN, "apiURL": "http://mix.example"}),
        spec(endpoint={**OWN, "identityURL": "http://mix.example"}),
    ],
    rules.PERIOD: [spec(stream={"periodSeconds": 29})],
    rules.PAUSE: [spec(rateLimit={"pauseSeconds": 29})],
}


def pairs(table: dict[rules.Rule, list[dict[str, Any]]]) -> list[Any]:
    return [
        pytest.param(rule, wanted, id=f"{rule.message[:40]}-{number}")
        for rule, specs in table.items()
        for number, wanted in enumerate(specs)
    ]


def rules_of(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for each in schema.get("x-kubernetes-validations", []):
        yield each["rule"], each["message"]
    for each in [*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]:
        yield from rules_of(each)


def test_every_rule_of_the_crd_is_here() -> None:
    of_creation = set(PASSES) & set(FAILS)
    assert set(rules_of(crd.open_api_schema())) == {
        (rule.expression, rule.message) for rule in {*of_creation, rules.SAME_ENDPOINT}
    }


@pytest.mark.parametrize(("rule", "wanted"), pairs(PASSES))
def test_it_passes(sources: Asking, rule: rules.Rule, wanted: dict[str, Any]) -> None:
    assert sources.make(wanted)["metadata"]["uid"]


@pytest.mark.parametrize(("rule", "wanted"), pairs(FAILS))
def test_it_is_refused_with_the_rules_message(sources: Asking, rule: rules.Rule, wanted: dict[str, Any]) -> None:
    assert rule.message in sources.refusal(wanted)


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ({"dataCentre": "eu"}, {"dataCentre": "us"}),
        ({"dataCentre": "eu"}, {"dataCentre": None, **OWN}),
        (OWN, {"apiURL": "https://other.example"}),
        (OWN, {"apiURL": None, "identityURL": None, "dataCentre": "eu"}),
    ],
    ids=["another data centre", "data centre to URLs", "another URL", "URLs to data centre"],
)
def test_where_the_data_came_from_cannot_be_changed(
    sources: Asking, before: dict[str, Any], change: dict[str, Any]
) -> None:
    made = sources.make(spec(endpoint=before))
    with pytest.raises(Refused) as caught:
        sources.patch({"spec": {"endpoint": change}})
    assert rules.SAME_ENDPOINT.message in caught.value.message
    assert sources.read()["spec"] == made["spec"]


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (OWN, {"endpoint": {"identityURL": "https://login.example"}}),
        (OWN, {"endpoint": {"caSecretRef": {"name": "ca"}}}),
        ({"dataCentre": "eu"}, {"secretRef": {"name": "other"}, "organisationIDs": ["7"], "suspend": True}),
        ({"dataCentre": "eu"}, {"deletionPolicy": "Delete", "retention": {"eventDays": 400}}),
    ],
    ids=["identity URL", "certificates", "Secret, organisations, suspend", "deletion, retention"],
)
def test_the_rest_can_be_changed(sources: Asking, before: dict[str, Any], change: dict[str, Any]) -> None:
    made = sources.make(spec(endpoint=before))
    changed = sources.patch({"spec": change})
    assert changed["metadata"]["generation"] == made["metadata"]["generation"] + 1
