"""What of a name is marked, and which words are taken for misspelt ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_api import highlights, typos


def marked(name: str, *words: str, similar: tuple[str, ...] = ()) -> list[str]:
    return [name[one.start : one.start + one.length] for one in highlights.ranges(name, words, similar)]


@pytest.mark.parametrize(
    ("name", "words", "wanted"),
    [
        ("João da Silva", ("joao",), ["João"]),
        ("João da Silva", ("silva", "jo"), ["Jo", "Silva"]),
        ("Antônio Vasilva", ("silva",), ["silva"]),
        ("Silva Vasilva", ("silva",), ["Silva"]),
        ("Straße Groß", ("strasse",), ["Straße"]),
        ("Straße Groß", ("stras",), ["Straß"]),
        ("Straße Groß", ("gross",), ["Groß"]),
        ("ﬁona ﬂores", ("fi",), ["ﬁ"]),
        ("ﬁona ﬂores", ("lores",), ["ﬂores"]),
        ("Ælfred Łódź", ("ael", "lodz"), ["Æl", "Łódź"]),
        ("Joa\u0303o", ("joao",), ["Joa\u0303o"]),
        ("Joa\u0303o", ("joa",), ["Joa\u0303"]),
        ("D'Ávila-Souza", ("avila", "sou"), ["Ávila", "Sou"]),
        ("Ana 😀 Ana", ("ana",), ["Ana", "Ana"]),
        ("ABBA", ("bb",), ["BB"]),
        ("Maria", ("silva",), []),
        ("", ("silva",), []),
    ],
    ids=str,
)
def test_what_was_found_is_marked(name: str, words: tuple[str, ...], wanted: list[str]) -> None:
    assert marked(name, *words) == wanted


def test_a_word_that_was_meant_is_marked_whole() -> None:
    assert marked("João da Silva", "joao", "slva", similar=("silva",)) == ["João", "Silva"]


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=8), max_size=4))
def test_ranges_lie_within_the_name_apart_and_in_order(name: str, words: list[str]) -> None:
    end = -1
    for one in highlights.ranges(name, words, words):
        assert one.start > end
        assert one.length > 0
        end = one.start + one.length
    assert end <= len(name)


@pytest.mark.parametrize(
    ("typed", "existing", "errors"),
    [
        ("silva", "silva", 0),
        ("slva", "silva", 1),
        ("sliva", "silva", 1),
        ("silvaa", "silva", 1),
        ("silca", "silva", 1),
        ("olivei", "oliveira", 0),
        ("olviei", "oliveira", 1),
        ("jose", "josefa", 2),
        ("guilhreme", "guilherme", 1),
        ("abcd", "wxyz", 4),
    ],
)
def test_errors_are_counted(typed: str, existing: str, errors: int) -> None:
    assert typos.errors_between(typed, existing) == errors


@given(st.text("abc", min_size=4, max_size=9), st.text("abc", max_size=9))
def test_a_swap_is_one_error_and_nothing_is_further_than_its_length(typed: str, existing: str) -> None:
    assert all(typos.errors_between(typed, one) <= 1 for one in typos.swapped(typed))
    assert typos.errors_between(typed, existing) <= max(len(typed), len(existing))


def test_the_nearest_come_first_and_what_holds_the_word_is_no_error() -> None:
    words = [("silva", 9), ("silveira", 5), ("selva", 1), ("salva", 7), ("vasilvado", 2), ("pedro", 3)]
    assert typos.nearest("silva", words) == ["salva", "silveira", "selva"]
    assert typos.nearest("slva", words) == ["silva", "salva", "selva"]
