"""The dashboards: every query parses and reads what is exported, every panel says what it shows and in which unit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dashboards
import pytest
import yaml

from rules.files import DASHBOARDS, exported, rendered
from rules.promql import metrics_of
from rules.test_rules import NAMES

PANELS = [(name, panel) for name, made in dashboards.DASHBOARDS.items() for panel in made.panels()]


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=lambda each: getattr(each, "title", each))
def test_panels(name: str, panel: dashboards.Panel) -> None:
    assert panel.description.endswith(".")
    assert panel.unit
    for query in panel.queries:
        assert metrics_of(query.expr) - exported() == set()
    for word in panel.description.replace(",", " ").replace(".", " ").split():
        if word.startswith("Mixhaul"):
            assert word in NAMES


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_what_grafana_reads(path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    assert board["uid"] == f"mixhaul-{path.stem}"
    variables = [each["name"] for each in board["templating"]["list"]]
    assert variables[:2] == ["datasource", "namespace"]
    shown = [panel for panel in panels(board) if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in shown} == {"${datasource}"}
    assert all(panel["fieldConfig"]["defaults"]["unit"] and panel["description"] for panel in shown)
    places = [tuple(panel["gridPos"][key] for key in ("x", "y")) for panel in shown]
    assert len(set(places)) == len(places), "panels lie upon each other"
    assert [link["tags"] for link in board["links"]] == [["mixhaul"]]


def test_the_chart_brings_them_to_grafana() -> None:
    found = [
        each
        for each in rendered({"dashboards": {"enabled": True, "annotations": {"folder": "Mixhaul"}}})
        if each["kind"] == "ConfigMap" and "dashboard" in each["metadata"]["name"]
    ]
    assert len(found) == len(DASHBOARDS)
    for each in found:
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"] == {"folder": "Mixhaul"}
        ((name, text),) = each["data"].items()
        assert json.loads(text) == json.loads(next(p for p in DASHBOARDS if p.name == name).read_text(encoding="utf-8"))


def test_none_without_being_asked_for() -> None:
    kinds = yaml.safe_dump([(each["kind"], each["metadata"]["name"]) for each in rendered({})])
    assert "dashboard" not in kinds
    assert "PrometheusRule" not in kinds
