"""The one list of conditions and reasons."""

from __future__ import annotations

import re

import pytest

from mixhaul_source.advice import ADVICE
from mixhaul_source.conditions import CONDITIONS, ConditionType, Reason


def test_every_condition_is_described_and_every_reason_used() -> None:
    assert set(CONDITIONS) == set(ConditionType)
    assert {reason for described in CONDITIONS.values() for reason in described.reasons} == set(Reason)


@pytest.mark.parametrize("condition", list(ConditionType))
def test_reasons_are_as_kubernetes_wants_them(condition: ConditionType) -> None:
    described = CONDITIONS[condition]
    assert described.text.endswith(".")
    for reason, meaning in described.reasons.items():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", reason)
        assert meaning.status in {"True", "False", "Unknown"}
        assert meaning.text.endswith(".")


@pytest.mark.parametrize("condition", [each for each in ConditionType if each not in ("Reconciling", "Stalled")])
def test_what_rests_on_the_database_can_be_unknown(condition: ConditionType) -> None:
    assert CONDITIONS[condition].reasons[Reason.DATABASE_UNAVAILABLE].status == "Unknown"


def test_every_reason_has_its_advice() -> None:
    assert set(ADVICE) == set(Reason)
    assert all(text.endswith(".") and "\n" not in text for text in ADVICE.values())
