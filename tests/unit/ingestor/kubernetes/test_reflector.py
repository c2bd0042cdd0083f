"""What one event does to the copy, and how long a broken watch waits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_ingestor.kubernetes.reflector import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, backoff, take


def thing(name: str | None, version: str = "2") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version} | ({} if name is None else {"name": name})}


@pytest.mark.parametrize(
    ("kind", "value", "left", "changed"),
    [
        pytest.param("ADDED", thing("b"), {"a": thing("a", "1"), "b": thing("b")}, True, id="new"),
        pytest.param("MODIFIED", thing("a"), {"a": thing("a")}, True, id="changed"),
        pytest.param("ADDED", thing("a"), {"a": thing("a")}, True, id="told again after a resume"),
        pytest.param("DELETED", thing("a"), {}, True, id="gone"),
        pytest.param("DELETED", thing("b"), {"a": thing("a", "1")}, False, id="gone, and never known"),
        pytest.param("BOOKMARK", thing(None), {"a": thing("a", "1")}, False, id="a bookmark"),
    ],
)
def test_an_event_is_taken(kind: str, value: dict[str, Any], left: dict[str, Any], changed: bool) -> None:
    objects = {"a": thing("a", "1")}
    assert take(objects, kind, value) is changed
    assert objects == left


@given(failures=st.integers(1, 100_000), chance=st.floats(0, 1, exclude_max=True))
def test_waits_grow_up_to_a_limit_and_are_spread(failures: int, chance: float) -> None:
    seconds = backoff(failures, chance=lambda: chance)
    full = backoff(failures, chance=lambda: 1.0)
    assert full / 2 <= seconds <= full <= LONGEST_WAIT_SECONDS
    assert full >= FIRST_WAIT_SECONDS
    assert backoff(failures + 1, chance=lambda: 1.0) >= full
