"""What the API server makes of a MixSource: defaults, exact ids, status, columns, names, and what explain says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.controlplane import ControlPlane
from cluster.errors import CommandFailed, Refused
from cluster.source.asking import SMALLEST, Asking, spec
from mixhaul_source import crd
from mixhaul_source.conditions import ConditionType
from mixhaul_source.model import MixSourceSpec

AT = "2026-11-24T19:00:00Z"


def condition(kind: str, status: str = "True", **more: Any) -> dict[str, Any]:
    found = {"type": kind, "status": status, "lastTransitionTime": AT, "reason": "AllWell", "message": "All is well."}
    return found | more


def objects(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part with fields, as `kubectl explain` is asked for it."""
    if "properties" in schema:
        yield path, schema
        for name, each in schema["properties"].items():
            yield from objects(each, f"{path}.{name}")
    if "items" in schema:
        yield from objects(schema["items"], path)


OBJECTS = [
    (path, schema)
    for part in ("spec", "status")
    for path, schema in objects(crd.open_api_schema()["properties"][part], f"mixsource.{part}")
]


def words(text: str) -> str:
    return " ".join(text.split())


def test_defaults_are_those_of_the_model(sources: Asking) -> None:
    stored = sources.make(SMALLEST)["spec"]
    by_model = MixSourceSpec.model_validate(SMALLEST).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert stored | {"retention": {}} == by_model


def test_ids_beyond_2_to_the_53_stay_exact(sources: Asking) -> None:
    ids = ["9223372036854775807", "-9223372036854775808", "9007199254740993", "1234567890123456789"]
    sources.make(spec(organisationIDs=ids))
    shown = sources.plane.kubectl("get", "mixsource", "fleet", "--namespace", sources.namespace, "--output", "json")
    assert json.loads(shown)["spec"]["organisationIDs"] == ids
    source = MixSourceSpec.model_validate(json.loads(shown)["spec"])
    assert source.organisation_ids == tuple(int(each) for each in ids)


def test_fields_that_no_mixsource_has_are_refused_when_asked_strictly(sources: Asking) -> None:
    with pytest.raises(Refused) as caught:
        sources.make(spec(colour="blue"))
    assert 'unknown field "spec.colour"' in caught.value.message


def test_status_is_written_only_through_its_own_door(sources: Asking) -> None:
    made = sources.make(SMALLEST)
    by_the_front = sources.patch({"status": {"observedGeneration": 7}})
    assert by_the_front.get("status", {}).get("observedGeneration", -1) == -1
    status = {"observedGeneration": 1, "conditions": [condition("Ready")]}
    changed = sources.patch({"spec": {"suspend": True}, "status": status}, part="status")
    assert changed["status"] == status
    assert changed["spec"] == made["spec"]
    assert changed["metadata"]["generation"] == 1


def test_a_source_that_nobody_took_up_says_so(sources: Asking) -> None:
    """kstatus and Flux read -1 as: no controller has seen this generation."""
    sources.make(SMALLEST)
    assert sources.patch({"status": {"conditions": []}}, part="status")["status"]["observedGeneration"] == -1


def test_generation_moves_with_the_spec_and_nothing_else(sources: Asking) -> None:
    sources.make(SMALLEST)
    assert sources.patch({"metadata": {"annotations": {"mixhaul.io/request": "sync"}}})["metadata"]["generation"] == 1
    assert sources.patch({"spec": {"suspend": True}})["metadata"]["generation"] == 2
    assert sources.patch({"spec": {"suspend": True}})["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([condition("Ready"), condition("Ready", "False")], "Duplicate value"),
        ([condition("Ready", "Perhaps")], "Unsupported value"),
        ([{"type": "Ready", "status": "True"}], "Required value"),
        ([condition("Ready", reason="all is well")], "should match"),
    ],
    ids=["twice", "status", "incomplete", "reason"],
)
def test_conditions_are_what_kubernetes_tools_expect(
    sources: Asking, conditions: list[dict[str, Any]], said: str
) -> None:
    sources.make(SMALLEST)
    with pytest.raises(Refused) as caught:
        sources.patch({"status": {"conditions": conditions}}, part="status")
    assert said in caught.value.message


def test_conditions_of_two_appliers_are_merged_by_type(sources: Asking, tmp_path: Path) -> None:
    """A list-map: who applies one condition leaves those of others alone."""
    sources.make(SMALLEST)
    for kind in ("Ready", "Stalled"):
        body = {"apiVersion": "mixhaul.io/v1alpha1", "kind": "MixSource", "metadata": {"name": "fleet"}}
        applied = tmp_path / f"{kind}.json"
        applied.write_text(json.dumps(body | {"status": {"conditions": [condition(kind)]}}), encoding="utf-8")
        sources.plane.kubectl(
            *("apply", "--server-side", "--subresource=status", f"--field-manager={kind}"),
            *("--namespace", sources.namespace, "--filename", str(applied)),
        )
    assert {each["type"] for each in sources.read()["status"]["conditions"]} == {"Ready", "Stalled"}


def test_kubectl_waits_for_each_condition_of_the_newest_generation(sources: Asking) -> None:
    def wait(what: str, seconds: float = 5) -> str:
        where = ("--namespace", sources.namespace, f"--timeout={seconds}s")
        return sources.plane.kubectl("wait", f"--for=condition={what}", "mixsource/fleet", *where)

    sources.make(SMALLEST)
    status = {"observedGeneration": 1, "conditions": [condition(kind) for kind in ConditionType]}
    sources.patch({"status": status}, part="status")
    for kind in ConditionType:
        assert "condition met" in wait(kind)
    with pytest.raises(CommandFailed, match="timed out"):
        wait("Ready=false", 0.5)
    sources.patch({"spec": {"suspend": True}})  # seen by nobody yet: what is said of the old generation doesn't count
    with pytest.raises(CommandFailed, match="timed out"):
        wait("Ready", 0.5)


@pytest.mark.parametrize("name", ["mixsources", "mixsource", "mixsrc", "mixhaul", "mixsources.v1alpha1.mixhaul.io"])
def test_columns_by_each_name(sources: Asking, name: str) -> None:
    sources.make(SMALLEST)
    status = {
        "conditions": [condition("Stalled", "False"), condition("Ready", "False", reason="Lagging", message="Behind.")],
        "stream": {"cursorTime": AT},
        "sync": {"lastSuccessTime": AT},
    }
    sources.patch({"status": status}, part="status")

    def shown(*more: str) -> list[list[str]]:
        text = sources.plane.kubectl("get", name, "--namespace", sources.namespace, *more)
        return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]

    header, row = shown()
    assert header == ["NAME", "READY", "REASON", "LAG", "SCHEDULE", "LAST SYNC", "AGE"]
    assert row[:3] == ["fleet", "False", "Lagging"]
    assert row[4] == "30 4 * * *"
    header, row = shown("--output", "wide")
    assert header[-2:] == ["SUSPENDED", "MESSAGE"]
    assert row[-2:] == ["false", "Behind."]


@pytest.mark.parametrize(("path", "schema"), OBJECTS, ids=[path for path, _ in OBJECTS])
def test_explain_describes_every_field(plane: ControlPlane, path: str, schema: dict[str, Any]) -> None:
    said = words(plane.kubectl("explain", path))
    for name, each in schema["properties"].items():
        kind = {"object": "<Object>"}.get(each["type"], "<")
        assert f"{name} {kind}" in said
        assert words(each["description"]) in said
