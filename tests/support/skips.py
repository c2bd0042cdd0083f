"""No test is skipped silently: a skip that `tests/allowed-skips.txt` does not name, with its reason, fails the run.

A plugin of pytest; with xdist it works in the process that collects the reports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ALLOWED = Path(__file__).parents[1] / "allowed-skips.txt"


@dataclass(frozen=True, slots=True)
class Allowed:
    """One line of the file: which tests, and a part of the reason that they give."""

    tests: str
    reason: str

    def covers(self, node: str, reason: str) -> bool:
        pattern = ".*".join(re.escape(part) for part in self.tests.split("*"))
        return re.fullmatch(pattern, node) is not None and self.reason in reason


def parse(text: str) -> list[Allowed]:
    """Lines of the form `TESTS -- REASON`; `*` stands for anything, `#` begins a comment."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    parts = [line.partition(" -- ") for line in lines]
    wrong = [before for before, _, reason in parts if not reason.strip()]
    if wrong:
        raise ValueError(f"allowed-skips.txt: no reason beside {wrong}")
    return [Allowed(before.strip(), reason.strip()) for before, _, reason in parts]


class Guard:
    """Collects skips and turns the run red for those that nobody allowed."""

    def __init__(self, allowed: list[Allowed]) -> None:
        self._allowed = allowed
        self.unexpected: list[tuple[str, str]] = []

    def _look(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(each.covers(report.nodeid, reason) for each in self._allowed):
            self.unexpected.append((report.nodeid, reason))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._look(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._look(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unexpected and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.unexpected:
            terminalreporter.section("skipped, but not in tests/allowed-skips.txt", red=True)
            for node, reason in self.unexpected:
                terminalreporter.line(f"{node}: {reason}")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Guard(parse(ALLOWED.read_text(encoding="utf-8"))), "skip-guard")
