"""The schedule of a torture is its seed's alone, so that a seed can be replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture import schedule, summary
from torture.result import Result, read


@pytest.mark.parametrize("seed", range(20))
def test_a_seed_says_what_happens(seed: int) -> None:
    of = schedule.profile(seed)
    assert of == schedule.profile(seed + 20)
    for works in (False, True):
        fates = [schedule.fate(seed, number, of=of, works=works) for number in range(50)]
        assert fates == [schedule.fate(seed, number, of=of, works=works) for number in range(50)]
        assert all((one.point is None) == (one.action not in ("kill at point", "stop at point")) for one in fates)
    blows = [schedule.blow(seed, number, of=of) for number in range(50)]
    again = [schedule.blow(seed, number, of=of) for number in range(50)]
    assert [(one.kind, one.after, one.lasts) for one in blows] == [(one.kind, one.after, one.lasts) for one in again]


def test_every_schedule_and_every_point_has_its_turn() -> None:
    assert {schedule.profile(seed).name for seed in range(20)} == {
        "short", "crowd", "tight budget", "MiX's own", "outage of eight days",
    }  # fmt: skip
    points = {schedule.fate(1, number, of=schedule.SHORT, works=False).point for number in range(500)}
    assert points == {None, *schedule.POINTS}


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = Result(seed=7, profile="short", began="2026-11-24T12:00:00Z", seconds=10.0)
    result.kills["stream"] += 3
    file = tmp_path / "7.json"
    result.write(file)
    assert read(file) == result
    assert "7 (short): 3 kills in 10 s (0.3/s)" in summary.line(result)
    others = [Result(seed=seed, profile="short", began=result.began) for seed in (8, 12)]
    assert "| seeds | 7 to 8, 12 |" in summary.page([result, *others], command="make torture")
