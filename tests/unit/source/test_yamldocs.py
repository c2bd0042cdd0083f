"""YAML as kubectl takes it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_source import yamldocs
from mixhaul_source.errors import ManifestNotYaml

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def read(text: str) -> list[Any]:
    return [document.value for document in yamldocs.read(text, file="x.yaml")]


def refused(text: str) -> ManifestNotYaml:
    with pytest.raises(ManifestNotYaml) as caught:
        read(text)
    return caught.value


@given(st.lists(JSON.filter(lambda value: value is not None), max_size=3))
def test_what_yaml_writes_is_read_back(values: list[Any]) -> None:
    assert read(yaml.safe_dump_all(values, explicit_start=True)) == values


@given(st.text(max_size=200))
def test_any_text_is_documents_or_one_kind_of_error(text: str) -> None:
    try:
        read(text)
    except ManifestNotYaml as error:
        assert "\n" not in error.sentence.partition("\n")[0]


def test_dates_stay_text_and_keys_are_text() -> None:
    assert read("when: 2026-11-01\nat: 2026-11-01T00:00:00Z\n1: one\ntrue: yes\nnull: ~") == [
        {"when": "2026-11-01", "at": "2026-11-01T00:00:00Z", "1": "one", "true": True, "null": None}
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"),
        ("1:30:00", "1:30:00"),
        ("1e9", 1e9),
        ("1.5e18", 1.5e18),
        (".5", 0.5),
        ("0x1f", 31),
        ("017", 15),
        ("0o17", 15),
        ("1_000", 1000),
        ("+7", 7),
        ("0", 0),
        ("089", 89.0),
        ("1.2.3", "1.2.3"),
        ("-", None),
        ("on", True),
        ("9007199254740993", 2**53 + 1),
    ],
)
def test_numbers_are_what_kubectl_takes_for_numbers(text: str, value: object) -> None:
    assert read(f"a: {text}" if text != "-" else "a: ") == [{"a": value}]


def test_anchors_and_merges_are_unfolded() -> None:
    text = "base: &b {a: 1, b: 2}\nother: {<<: *b, b: 3}\nmany: {<<: [{c: 4}, *b]}\nsame: *b\n"
    assert read(text) == [
        {
            "base": {"a": 1, "b": 2},
            "other": {"a": 1, "b": 3},
            "many": {"a": 1, "b": 2, "c": 4},
            "same": {"a": 1, "b": 2},
        }
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "the key 'a' is there twice: remove one"),
        ("a: {b: [c: d}", 1, 13, "expected ',' or ']'"),
        ("a:\n\t- b", 2, 1, "found character"),
        ("a: 'open", 1, 9, "unexpected end of stream"),
        ("a: *nobody", 1, 4, "found undefined alias"),
        ("a: !!python/object:os.system x", 1, 4, "the tag 'tag:yaml.org,2002:python/object:os.system' is not allowed"),
        ("a: !!binary aGk=", 1, 4, "is not allowed: write a plain value"),
        ("a: !!set {b}", 1, 4, "is not allowed: write a plain mapping or list"),
        ("? [a, b]\n: c", 1, 3, "a key must be a plain word"),
        ("a: .inf", 1, 4, "'.inf' is no number that JSON knows"),
        ("a: .nan", 1, 4, "is no number that JSON knows"),
        ("a: !!int x", 1, 4, "'x' is no int"),
        ("a: " + "9" * 5000, 1, 4, "is no int"),
        ("a: 1\nb: \x07", 2, 4, "the character U+0007 is not allowed here"),
        ("a: {<<: 5}", 1, 9, "'<<' takes a mapping or a list of mappings"),
        ("&a [*a]", 1, 1, "nested more than 64 levels"),
    ],
)
def test_what_is_refused_is_named_by_line_and_column(text: str, line: int, column: int, problem: str) -> None:
    error = refused(text)
    assert (error.line, error.column) == (line, column)
    assert problem in error.problem
    assert str(error).startswith(f"x.yaml, line {line}, column {column}: this is no YAML that can be read: ")


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "its aliases unfold into more than 100000 nodes" in refused("\n".join(lines)).problem


def test_a_merge_bomb_is_refused() -> None:
    lines = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    assert "its aliases unfold into more than 100000 nodes" in refused("\n".join(lines)).problem


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_endless_nesting_is_refused(opening: str) -> None:
    refused(opening * 20_000)


def test_lines_are_known_by_path() -> None:
    (document,) = yamldocs.read("a:\n  b:\n    - 1\n    - c: 2\n", file="x")
    assert document.line_of(("a", "b", 1, "c")) == 4
    assert document.line_of(("a", "b", 7)) == 3
    assert document.line_of(("nope",)) == 1
