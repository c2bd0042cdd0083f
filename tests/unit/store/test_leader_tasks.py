"""When a task of the leader is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mixhaul_store.leader_tasks import TaskState, due_in

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def state(*, began: timedelta, ended: timedelta | None = None, failures: int = 0) -> TaskState:
    """A task that was begun and has ended well so long ago."""
    return TaskState(NOON - began, None if ended is None else NOON - ended, failures, NOON)


@pytest.mark.parametrize(
    ("known", "wait"),
    [
        pytest.param(None, timedelta(), id="never done"),
        pytest.param(state(began=2 * HOUR, ended=HOUR), 22 * HOUR, id="done: a period after it was begun"),
        pytest.param(state(began=25 * HOUR, ended=24 * HOUR), -HOUR, id="overdue"),
        pytest.param(state(began=MINUTE, ended=24 * HOUR, failures=2), MINUTE, id="failed twice"),
        pytest.param(state(began=2 * MINUTE, failures=0), -MINUTE, id="killed"),
        pytest.param(state(began=HOUR, failures=1000), 23 * HOUR, id="failing for long: once a period"),
    ],
)
def test_due(known: TaskState | None, wait: timedelta) -> None:
    assert due_in(known, every=24 * HOUR, retry=MINUTE) == wait
