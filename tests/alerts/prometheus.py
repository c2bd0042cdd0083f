"""A real Prometheus over real programs, with the chart's rules at another pace."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cluster.processes import free_ports

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?P<before>\[|offset |for: )(?P<number>\d+)(?P<unit>[smhd])\b")


def hastened(rules: str, *, factor: float) -> str:
    """The same rules with every duration so many times shorter, but at least a second; windows at least four."""

    def shorter(match: re.Match[str]) -> str:
        least = 4 if match["before"] == "[" else 1
        seconds = max(least, round(int(match["number"]) * _UNITS[match["unit"]] / factor))
        return f"{match['before']}{seconds}s"

    return _DURATION.sub(shorter, rules)


def with_thresholds(rules: str, thresholds: Mapping[str, float]) -> str:
    """As the chart sets them."""
    for name, value in thresholds.items():
        rules, changed = re.subn(rf"[0-9.]+ # threshold: {name}\b", f"{value} # threshold: {name}", rules)
        assert changed, f"no rule has the threshold {name}"
    return rules


class Prometheus:
    """One that runs. Targets can be added and taken away while it does."""

    def __init__(self, folder: Path, *, url: str) -> None:
        self._targets = folder / "targets.json"
        self.url = url

    def scrape(self, targets: Mapping[str, str]) -> None:
        """Scrape these from now on: `instance` -> `host:port`, all in the namespace `fleet`."""
        listed = [
            {"targets": [address], "labels": {"instance": name, "pod": name, "namespace": "fleet"}}
            for name, address in targets.items()
        ]
        draft = self._targets.with_suffix(".part")
        draft.write_text(json.dumps(listed), encoding="utf-8")
        draft.replace(self._targets)

    def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """The value of an expression now."""
        answer = self._get(f"/api/v1/query?query={urllib.parse.quote(expr)}")
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def firing(self, name: str) -> list[dict[str, str]]:
        """Labels of the alerts of this name that fire."""
        alerts = self._get("/api/v1/alerts")["data"]["alerts"]
        return [each["labels"] for each in alerts if each["labels"]["alertname"] == name and each["state"] == "firing"]

    def wait_until(self, name: str, *, fires: bool, seconds: float = 60) -> list[dict[str, str]]:
        """Wait until an alert fires, or no longer does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.firing(name)
            if bool(found) == fires:
                return found
            time.sleep(0.3)
        raise AssertionError(f"{name} {'does not fire' if fires else 'still fires'} after {seconds:.0f} s")

    def _get(self, path: str) -> Any:
        return httpx.get(f"{self.url}{path}", timeout=30).raise_for_status().json()


@contextmanager
def running(folder: Path, *, rules: str) -> Iterator[Prometheus]:
    """Start Debian's Prometheus with these rules; scrapes and evaluates each second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.fail("prometheus is not there: `apt-get install prometheus`, or unpack Debian's package into the PATH")
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yaml")],
        "scrape_configs": [
            {
                "job_name": "mixhaul",
                "file_sd_configs": [{"files": [str(folder / "targets.json")], "refresh_interval": "1s"}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    (port,) = free_ports("127.0.0.1", 1)
    prometheus = Prometheus(folder, url=f"http://127.0.0.1:{port}")
    prometheus.scrape({})
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_ready(prometheus, process, log=folder / "prometheus.log")
        yield prometheus
    finally:
        process.terminate()
        process.wait(20)


def _wait_ready(prometheus: Prometheus, process: subprocess.Popen[bytes], *, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{prometheus.url}/-/ready", timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"Prometheus does not start:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
