"""Who has our finalizer, and when it goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mixhaul_operator.deletion import Act, decide, request_id, with_ours, without_ours
from mixhaul_operator.facts import RequestFacts
from mixhaul_operator.naming import FINALIZER
from mixhaul_operator.times import stamp
from support.operator_inputs import NOW, UID, source

OURS = [FINALIZER]
JUST_NOW = {"deletionTimestamp": stamp(NOW - timedelta(seconds=5))}
LONG_AGO = {"deletionTimestamp": stamp(NOW - timedelta(seconds=61))}


def row(state: str, message: str | None = None) -> RequestFacts:
    return RequestFacts(request_id(UID), state, message)


@pytest.mark.parametrize(
    ("policy", "metadata", "asked", "act"),
    [
        pytest.param("Retain", {}, None, Act.NOTHING, id="retain"),
        pytest.param("Retain", {"finalizers": ["others/own"]}, None, Act.NOTHING, id="retain, others have one"),
        pytest.param("Retain", {"finalizers": OURS}, None, Act.REMOVE, id="changed to retain"),
        pytest.param("Retain", {"finalizers": OURS, **JUST_NOW}, None, Act.REMOVE, id="to retain, while being deleted"),
        pytest.param("Delete", {}, None, Act.ADD, id="delete"),
        pytest.param("Delete", {"finalizers": OURS}, None, Act.NOTHING, id="delete, has it"),
        pytest.param("Delete", {"finalizers": ["others/own"], **JUST_NOW}, None, Act.NOTHING, id="too late to add"),
        pytest.param("Delete", {"finalizers": OURS, **JUST_NOW}, None, Act.ASK, id="deleted"),
        pytest.param("Delete", {"finalizers": OURS, **JUST_NOW}, row("pending"), Act.WAIT, id="asked"),
        pytest.param("Delete", {"finalizers": OURS, **JUST_NOW}, row("failed"), Act.WAIT, id="failed, time left"),
        pytest.param("Delete", {"finalizers": OURS, **JUST_NOW}, row("succeeded"), Act.REMOVE, id="done"),
        pytest.param("Delete", {"finalizers": OURS, **LONG_AGO}, row("succeeded"), Act.REMOVE, id="done late"),
        pytest.param("Delete", {"finalizers": OURS, **LONG_AGO}, row("running"), Act.GIVE_UP, id="too slow"),
        pytest.param("Delete", {"finalizers": OURS, **LONG_AGO}, None, Act.GIVE_UP, id="database away"),
    ],
)
def test_decision(policy: str, metadata: dict[str, Any], asked: RequestFacts | None, act: Act) -> None:
    found = decide(source(**metadata), policy=policy, asked=asked, now=NOW)
    assert found.act is act
    assert (found.again_in is not None) == (act in (Act.ASK, Act.WAIT))


@pytest.mark.parametrize(
    ("asked", "words"),
    [(None, "as soon as the database is back"), (row("failed", "no space"), "no space"), (row("running"), "later")],
    ids=["database away", "failed", "slow"],
)
def test_giving_up_says_what_becomes_of_the_data(asked: RequestFacts | None, words: str) -> None:
    found = decide(source(finalizers=OURS, **LONG_AGO), policy="Delete", asked=asked, now=NOW)
    assert words in found.message


def test_finalizers_of_others_stay() -> None:
    given = source(finalizers=["others/own"])
    added = with_ours(given)
    assert added["metadata"] == {"resourceVersion": "10", "finalizers": ["others/own", FINALIZER]}
    assert without_ours(source(**added["metadata"]))["metadata"]["finalizers"] == ["others/own"]
