"""The rules, dashboards and runbooks, and the chart rendered with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chart.rendering import VALUES, Object, render

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "mixhaul"
RULES = sorted((CHART / "files" / "rules").glob("*.yaml"))
TESTS = sorted(Path(__file__).parent.glob("*.test.yaml"))
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
RUNBOOKS = ROOT / "docs" / "runbooks"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule."""

    name: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


def rules() -> Iterator[dict[str, Any]]:
    """All rules of all files."""
    for path in RULES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def alerts() -> list[Alert]:
    """Those that alert; a name may come twice, with two severities."""
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"]) for rule in rules() if "alert" in rule
    ]


def rendered(metrics: dict[str, Any]) -> list[Object]:
    """The chart's objects with these `metrics` values."""
    return render(VALUES["one-login"], "--set-json", f"metrics={json.dumps(metrics)}")


def exported() -> set[str]:
    """Every metric of the programs: docs/metrics.md is made from their registries, and drift fails elsewhere."""
    return set(
        re.findall(r"^\| `(mixhaul_\w+)`", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
