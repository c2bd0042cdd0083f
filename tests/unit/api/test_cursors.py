"""Cursors come back as they were, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mixhaul_api import cursors
from mixhaul_api.problems import Problem

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(st.one_of(INT64, TEXT), max_size=6))
def test_a_cursor_comes_back_as_it_was(values: list[int | str]) -> None:
    text = cursors.encode(values, of="list")
    assert cursors.decode(text, of="list", types=[type(value) for value in values]) == tuple(values)


@given(st.text())
def test_any_text_is_refused_as_a_problem(text: str) -> None:
    with pytest.raises(Problem):
        cursors.decode(text, of="list", types=(int,))


@given(INT64, st.data())
def test_a_changed_character_is_noticed(value: int, data: Any) -> None:
    text = cursors.encode([value], of="list")
    place = data.draw(st.integers(0, len(text) - 2))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    assume(other != text[place])
    with pytest.raises(Problem):
        cursors.decode(text[:place] + other + text[place + 1 :], of="list", types=(int,))


@pytest.mark.parametrize(
    ("values", "types"),
    [((1,), (str,)), (("a",), (int,)), ((1, 2), (int,)), ((), (int,)), ((2**63,), (int,)), (("a\0",), (str,))],
    ids=str,
)
def test_the_right_check_sum_on_the_wrong_values_is_refused(values: tuple[Any, ...], types: tuple[Any, ...]) -> None:
    with pytest.raises(Problem):
        cursors.decode(cursors.encode(values, of="list"), of="list", types=types)


def test_a_cursor_belongs_to_its_list_and_filters() -> None:
    filters = {"search": "a", "types": [1, 2**63 - 1]}
    mine = cursors.fingerprint("drivers", filters)
    assert mine == cursors.fingerprint("drivers", dict(reversed(filters.items())))
    others = {
        cursors.fingerprint("event-types", filters),
        cursors.fingerprint("drivers", filters | {"search": "b"}),
        cursors.fingerprint("drivers", filters | {"types": [1]}),
        cursors.fingerprint("drivers", {}),
    }
    assert len(others | {mine}) == 5
    for other in others:
        with pytest.raises(Problem, match="other filters"):
            cursors.decode(cursors.encode([1], of=mine), of=other, types=(int,))
