"""The kill test in its small form; `tests/faults/haul.py` runs it at any length."""

from __future__ import annotations

import pytest

from faults.haul import haul
from support.postgres import reachable_folder


@pytest.mark.timeout(300)
def test_kills_at_every_point_with_every_fault_lose_and_double_nothing() -> None:
    with reachable_folder() as folder:
        outcome = haul(kills=12, seed=4, folder=folder, events_per_minute=1500)
    assert outcome.good, "\n".join(outcome.sentences())
