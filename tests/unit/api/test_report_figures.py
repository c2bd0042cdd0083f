"""What a performance report adds up and compares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_api.report.figures import Counted, Figures, Trend, by_type, together, trend

WEEKS = 5
ROWS = st.lists(
    st.builds(
        Counted,
        type_id=st.integers(-3, 3),
        description=st.just("x"),
        family=st.none(),
        part=st.integers(0, WEEKS + 1),
        infractions=st.integers(1, 1000),
        seconds=st.integers(0, 10**9),
    ),
    unique_by=lambda row: (row.type_id, row.part),
)


@given(ROWS)
def test_everything_is_counted_once(rows: list[Counted]) -> None:
    lines = by_type(rows, weeks=WEEKS)
    total = together(lines, weeks=WEEKS)
    assert {line.type_id for line in lines} == {row.type_id for row in rows}
    assert sum(total.months, Figures()) == Figures(
        sum(row.infractions for row in rows), sum(row.seconds for row in rows)
    )
    for line in (*(one.line for one in lines), total):
        assert line.months[-1] == sum(line.weeks, Figures())
        assert (len(line.months), len(line.weeks)) == (3, WEEKS)


def test_the_worst_type_comes_first() -> None:
    rows = [
        Counted(1, "rare", None, 2, 1, 10),
        Counted(2, "often", None, 3, 5, 10),
        Counted(3, "never now", None, 0, 90, 10),
        Counted(4, None, None, 2, 1, 10),
        Counted(5, "also rare", None, 2, 1, 10),
    ]
    assert [line.type_id for line in by_type(rows, weeks=WEEKS)] == [2, 5, 1, 4, 3]


@pytest.mark.parametrize(
    ("before", "now", "wanted"),
    [
        ([5, 6], 9, Trend(5.5, 3.5, 63.6, "up")),
        ([4, 4], 1, Trend(4.0, -3.0, -75.0, "down")),
        ([3, 5], 4, Trend(4.0, 0.0, 0.0, "same")),
        ([0, 0], 4, Trend(0.0, 4.0, None, "up")),
        ([0, 0], 0, Trend(0.0, 0.0, None, "same")),
    ],
    ids=["up", "down", "same", "from none", "none"],
)
def test_a_month_against_those_before(before: list[int], now: int, wanted: Trend) -> None:
    assert trend(before, now) == wanted
