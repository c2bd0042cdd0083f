"""Which support lists are believed."""

from __future__ import annotations

import pytest

from mixhaul_store.plausibility import History, Verdict, is_short, judge


@pytest.mark.parametrize(
    ("listed", "good", "short"),
    [
        pytest.param(0, 0, False, id="nothing was there before"),
        pytest.param(9, 0, False, id="the first list"),
        pytest.param(0, 1, True, id="empty"),
        pytest.param(1, 6, False, id="a handful fewer"),
        pytest.param(1, 7, True, id="more than a handful"),
        pytest.param(80, 100, False, id="just enough"),
        pytest.param(79, 100, True, id="just too few"),
        pytest.param(200, 100, False, id="more than before"),
    ],
)
def test_what_is_far_shorter(listed: int, good: int, short: bool) -> None:
    assert is_short(listed, good) == short


@pytest.mark.parametrize(
    ("listed", "history", "verdict"),
    [
        pytest.param(90, History(100), Verdict.BELIEVED, id="long enough"),
        pytest.param(90, History(100, 10), Verdict.BELIEVED, id="long enough after a short one"),
        pytest.param(10, History(100), Verdict.DOUBTED, id="the first short one"),
        pytest.param(10, History(100, 10), Verdict.CONFIRMED, id="the same again"),
        pytest.param(20, History(100, 10), Verdict.CONFIRMED, id="much the same"),
        pytest.param(21, History(100, 10), Verdict.DOUBTED, id="short in another way"),
        pytest.param(0, History(100, 10), Verdict.CONFIRMED, id="a tenth of the good one fewer"),
        pytest.param(0, History(100, 0), Verdict.CONFIRMED, id="empty twice"),
        pytest.param(5, History(12, 0), Verdict.CONFIRMED, id="a handful apart"),
    ],
)
def test_verdicts(listed: int, history: History, verdict: Verdict) -> None:
    assert judge(listed, history) is verdict
