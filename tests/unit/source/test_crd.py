"""The CRD: structural, documented, with the model's defaults, and the committed file is what the model says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mixhaul_source import crd
from mixhaul_source.model import MixSource, MixSourceSpec

COMMITTED = Path(__file__).parents[3] / "crds" / crd.FILE_NAME


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


ALL = dict(nodes(crd.open_api_schema()))


def test_the_committed_file_is_what_the_model_says() -> None:
    assert COMMITTED.read_text() == crd.render(), "run `make generate` and commit"


def test_the_file_is_plain_yaml_of_the_object() -> None:
    assert yaml.safe_load(crd.render()) == crd.crd()


def test_names() -> None:
    spec = crd.crd()["spec"]
    assert (spec["group"], spec["scope"], spec["names"]) == (
        "mixhaul.io",
        "Namespaced",
        {
            "kind": "MixSource",
            "listKind": "MixSourceList",
            "plural": "mixsources",
            "singular": "mixsource",
            "shortNames": ["mixsrc"],
            "categories": ["mixhaul"],
        },
    )
    columns = [each["name"] for each in spec["versions"][0]["additionalPrinterColumns"] if "priority" not in each]
    assert columns == ["Ready", "Reason", "Lag", "Schedule", "Last sync", "Age"]
    assert spec["versions"][0]["subresources"] == {"status": {}}


@pytest.mark.parametrize("path", [path for path in ALL if path and not path.startswith(".metadata")])
def test_every_field_is_structural_and_documented(path: str) -> None:
    schema = ALL[path]
    assert schema["type"] in {"object", "array", "string", "integer", "boolean"}
    assert not {"$ref", "anyOf", "oneOf", "allOf", "title", "const", "nullable", "additionalProperties"} & set(schema)
    if not path.endswith("[]"):
        assert re.search(r"[.;]$", schema["description"]), "kubectl explain shows this sentence"
    if schema["type"] == "object":
        assert schema["properties"]
    if schema["type"] == "array":
        assert schema["maxItems"] > 0, "the cost of CEL rules is estimated from it"
        assert schema["x-kubernetes-list-type"] in {"set", "map"}
    if schema["type"] == "string" and path.startswith(".spec"):
        assert "enum" in schema or schema["maxLength"] > 0


def test_the_defaults_of_the_schema_are_those_of_the_model() -> None:
    def defaulted(schema: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """What the API server makes of an object before it stores it."""
        found = dict(given)
        for name, each in schema.get("properties", {}).items():
            if name not in found and "default" in each:
                found[name] = each["default"]
            if isinstance(found.get(name), dict):
                found[name] = defaulted(each, found[name])
        return found

    smallest = {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}}
    by_server = defaulted(ALL[".spec"], smallest)
    by_model = MixSourceSpec.model_validate(smallest).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert by_server | {"retention": {}} == by_model


def test_rules_name_fields_that_exist_and_end_in_a_message() -> None:
    rules = [(path, rule) for path, schema in ALL.items() for rule in schema.get("x-kubernetes-validations", [])]
    assert len(rules) == 13
    for path, rule in rules:
        for chain in re.findall(r"(?:self|oldSelf)((?:\.[a-zA-Z]+)+)(?!\()(?![a-zA-Z])", rule["rule"]):
            assert f"{path}{chain}" in ALL, rule
        assert rule["message"]
        assert "\n" not in rule["message"]
        assert "fieldPath" not in rule, "Kubernetes 1.27 refuses it"


def test_a_status_that_the_schema_has_is_read_by_the_model() -> None:
    status = {
        "observedGeneration": 2,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "observedGeneration": 2,
                "lastTransitionTime": "2026-11-24T19:00:00Z",
                "reason": "AllWell",
                "message": "",
            }
        ],
        "stream": {"cursorTime": "2026-11-24T19:00:00Z", "organisations": 2, "openGaps": 0},
        "sync": {"lastSuccessTime": "2026-11-24T04:30:10Z"},
        "lastRequest": {"id": "1", "request": "sync", "state": "Pending"},
        "cronJob": {"name": "mixhaul-sync-fleet", "appliedHash": "ab", "generation": 1},
    }
    whole = MixSource.model_validate(
        {
            "apiVersion": "mixhaul.io/v1alpha1",
            "kind": "MixSource",
            "metadata": {"name": "fleet"},
            "spec": {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}},
            "status": status,
        }
    )
    assert whole.status is not None
    assert whole.status.model_dump(mode="json", by_alias=True, exclude_none=True) == status
