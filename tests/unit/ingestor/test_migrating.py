"""`migrate --wait`: how long it waits, and for what."""

from __future__ import annotations

import socket

import pytest

from mixhaul_ingestor.migrating import LOOK_SECONDS, migrated
from mixhaul_store.errors import DatabaseUnavailable, InvalidDatabaseUrl


class Time:
    """Passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def away() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    return f"postgresql://mixhaul@127.0.0.1:{port}/mixhaul"


@pytest.mark.parametrize(("patience", "tries"), [(0.0, 1), (LOOK_SECONDS * 3, 4)])
def test_a_database_that_stays_away_is_an_error_in_the_end(away: str, patience: float, tries: int) -> None:
    time = Time()
    with pytest.raises(DatabaseUnavailable):
        migrated(away, patience_seconds=patience, monotonic=time.monotonic, sleep=time.sleep)
    assert time.slept == [LOOK_SECONDS] * (tries - 1)


def test_what_will_not_pass_by_itself_is_not_waited_for() -> None:
    time = Time()
    with pytest.raises(InvalidDatabaseUrl):
        migrated("mysql://nobody", patience_seconds=600, monotonic=time.monotonic, sleep=time.sleep)
    assert time.slept == []


def test_it_goes_on_once_the_database_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()
    answers = iter([DatabaseUnavailable("away"), DatabaseUnavailable("away"), "0042"])

    def migrate(url: str) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("mixhaul_ingestor.migrating.migrate", migrate)
    assert migrated("u", patience_seconds=60, monotonic=time.monotonic, sleep=time.sleep) == "0042"
    assert len(time.slept) == 2
