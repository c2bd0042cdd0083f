"""A pytest plugin that writes down how each test ended: the exception's type, not only that there was one.

Used with `-p mutants.reporter`; the file is named by MUTANTS_REPORT.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_found: list[dict[str, Any]] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Each phase of each test."""
    report = yield
    kinds = [] if call.excinfo is None else _kinds(call.excinfo.value)
    text = "" if call.excinfo is None else str(call.excinfo.value)[:200]
    _found.append(
        {
            "test": item.nodeid.partition("[")[0],
            "phase": call.when,
            "outcome": report.outcome,  # type: ignore[attr-defined]
            "kinds": kinds,
            "text": text,
        }
    )
    return report


def _kinds(error: BaseException) -> list[str]:
    """The names of its classes; of a group (hypothesis found several failures) those that all its members have."""
    if not isinstance(error, BaseExceptionGroup):
        return [one.__name__ for one in type(error).__mro__]
    members = [_kinds(one) for one in error.exceptions]
    return [name for name in members[0] if all(name in other for other in members)]


def pytest_sessionfinish() -> None:
    """At the end."""
    Path(os.environ["MUTANTS_REPORT"]).write_text(json.dumps(_found), encoding="utf-8")
