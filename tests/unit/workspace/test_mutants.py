"""The deliberate bugs of `make mutants` fit the code as it is, and the verdict on them believes no accident."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant
from mutants.verdict import judge

ROOT = Path(__file__).parents[3]
TEST = "tests/unit/test_a.py::test_it"


@pytest.mark.parametrize("mutant", [pytest.param(one, id=one.name) for one in MUTANTS])
def test_a_mutant_fits_the_code_and_its_test_is_there(mutant: Mutant) -> None:
    for edit in mutant.edits:
        assert (ROOT / edit.file).read_text(encoding="utf-8").count(edit.old) == 1, edit.old
        assert edit.old != edit.new
    file, name, *_ = mutant.test.split("::")
    assert re.search(rf"\b{name}\b", (ROOT / file).read_text(encoding="utf-8"))


def test_each_has_its_own_name() -> None:
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)


def entry(outcome: str, *kinds: str, test: str = TEST, phase: str = "call", text: str = "") -> dict[str, Any]:
    return {"test": test, "phase": phase, "outcome": outcome, "kinds": list(kinds), "text": text}


@pytest.mark.parametrize(
    ("report", "trouble"),
    [
        pytest.param([entry("failed", "AssertionError")], None, id="an assertion"),
        pytest.param([entry("failed", "Failed", text="DID NOT RAISE <class 'X'>")], None, id="nothing was raised"),
        pytest.param([entry("failed", "ValueError"), entry("failed", "AssertionError")], None, id="one of two cases"),
        pytest.param([], "nothing was run", id="not collected"),
        pytest.param([entry("passed")], "SURVIVED", id="passed"),
        pytest.param([entry("failed", "Failed", text="Timeout (>120.0s)")], "no assertion", id="a time-out"),
        pytest.param([entry("failed", "ImportError", phase="setup")], "failed in setup", id="an import"),
        pytest.param([entry("failed", "AssertionError", test="x::y")], "failed in call of x::y", id="another test"),
    ],
)
def test_verdicts(report: list[dict[str, Any]], trouble: str | None) -> None:
    found = judge(report, test=TEST)
    assert found == trouble if trouble is None else (found or "").startswith(trouble)
