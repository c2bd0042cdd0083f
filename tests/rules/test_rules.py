"""The alerts: right by promtool, tested to fire and to stay quiet, each with its runbook, set by the chart's values."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from rules.files import CHART, RULES, RUNBOOKS, TESTS, Alert, alerts, exported, rendered, rules
from rules.promql import metrics_of

ALERTS = alerts()
NAMES = sorted({alert.name for alert in ALERTS})
HEADINGS = (
    "## What it means",
    "## What users notice",
    "## How to look",
    "## How to fix",
    "## How to know that it is fixed",
)
_BASE = "https://mixhaul.io/docs/runbooks/"


def run(promtool: str, *arguments: str) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_rules(promtool: str) -> None:
    run(promtool, "check", "rules", "--lint-fatal", *map(str, RULES))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_promtool_runs_the_tests(promtool: str, path: Path) -> None:
    run(promtool, "test", "rules", str(path))


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_is_seen_firing_and_staying_quiet(name: str) -> None:
    checks = [
        check
        for path in TESTS
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for check in test["alert_rule_test"]
        if check["alertname"] == name
    ]
    severities = {alert.labels["severity"] for alert in ALERTS if alert.name == name}
    assert {fired["exp_labels"]["severity"] for check in checks for fired in check["exp_alerts"]} == severities
    if name != "MixhaulWatchdog":
        assert [check for check in checks if not check["exp_alerts"]]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.labels['severity']}")
def test_what_every_alert_says(alert: Alert) -> None:
    assert alert.name.startswith("Mixhaul")
    assert alert.labels["severity"] in {"critical", "warning", "none"}
    assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
    assert "{{" not in alert.annotations["summary"]
    assert alert.annotations["runbook_url"] == _BASE + alert.name


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_its_runbook(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == list(HEADINGS)


def test_every_runbook_has_its_alert() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("Mixhaul*.md")) == NAMES
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    assert sorted(set(re.findall(r"\]\((Mixhaul\w+)\.md\)", index))) == NAMES


def test_the_rules_read_what_the_programs_export() -> None:
    known = exported() | {rule["record"] for rule in rules() if "record" in rule}
    read = {name for rule in rules() for name in metrics_of(rule["expr"])}
    assert read - known == set()


def test_the_default_thresholds_are_those_of_the_files() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    defaults = values["metrics"]["prometheusRule"]["thresholds"]
    written = {
        (name, float(number))
        for path in RULES
        for number, name in re.findall(r"([0-9.]+) # threshold: (\w+)", path.read_text(encoding="utf-8"))
    }
    assert written == {(name, float(value)) for name, value in defaults.items()}


def test_the_chart_sets_thresholds_and_runbooks() -> None:
    rule = {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "runbookBaseURL": "https://wiki.example/mixhaul/",
        "thresholds": {"ingestLagSeconds": 1234, "apiErrorBudget": 0.005},
    }
    objects = [each for each in rendered({"prometheusRule": rule}) if each["kind"] == "PrometheusRule"]
    assert len(objects) == len(RULES)
    assert all(each["metadata"]["labels"]["release"] == "prometheus" for each in objects)
    found = {
        (rule["alert"], rule["labels"]["severity"]): rule
        for each in objects
        for group in each["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert found.keys() == {(alert.name, alert.labels["severity"]) for alert in ALERTS}
    lagging = found["MixhaulIngestLagging", "critical"]
    assert "> 1234 # threshold" in lagging["expr"]
    assert lagging["annotations"]["runbook_url"] == "https://wiki.example/mixhaul/MixhaulIngestLagging"
    assert "{{ $labels.source }}" in lagging["annotations"]["description"]
    assert found["MixhaulAPIErrorBudgetBurn", "critical"]["expr"].count("> 14.4 * 0.005 #") == 2
