"""The API server's own opinion of what the chart renders, strictly, in a namespace that enforces `restricted`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chart import rendering
from chart.rendering import VALUES
from cluster.controlplane import ControlPlane
from cluster.errors import CommandFailed

# Kinds that no test cluster knows.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}


def apply(plane: ControlPlane, namespace: str, folder: Path, objects: list[rendering.Object]) -> str:
    items = [each for each in objects if each["kind"] not in FOREIGN]
    file = folder / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), encoding="utf-8")
    command = ["apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "--namespace", namespace]
    return plane.kubectl(*command, "--filename", str(file))


@pytest.mark.parametrize("name", VALUES)
def test_the_api_server_takes_everything_without_a_warning(
    plane: ControlPlane, namespace: str, name: str, tmp_path: Path
) -> None:
    # The pod of `helm test` needs a ServiceAccount that is there: installing shows it.
    objects = rendering.render(VALUES[name], "--no-hooks", "--namespace", namespace)
    said = apply(plane, namespace, tmp_path, objects).splitlines()
    assert len(said) == len([each for each in objects if each["kind"] not in FOREIGN])
    assert [line for line in said if not line.endswith("(server dry run)")] == []


def test_it_would_say_what_is_not_hardened(plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    objects = rendering.render(VALUES["try-out"], "--no-hooks", "--namespace", namespace)
    deployment = rendering.one(objects, "Deployment", "mixhaul-api")
    del deployment["spec"]["template"]["spec"]["securityContext"]["seccompProfile"]
    with pytest.raises(CommandFailed) as caught:
        apply(plane, namespace, tmp_path, [deployment])
    assert "seccompProfile" in caught.value.output
