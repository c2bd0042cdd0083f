"""An answer's array into its records: each keeps its own bytes, one that is broken costs only itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_mix.errors import PageInvalid
from mixhaul_mix.events import split
from mixhaul_mix.pages import _split_leniently


def records(body: bytes) -> list[bytes]:
    return [bytes(raw) for raw in split(body)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"[]", [], id="empty"),
        pytest.param(b" \r\n[ ]\n", [], id="empty with blanks"),
        pytest.param(b'[{"a":1},{"b":2}]', [b'{"a":1}', b'{"b":2}'], id="two"),
        pytest.param(b'[ {"a": 1} ,\n {"b":2} ]', [b'{"a": 1}', b'{"b":2}'], id="blanks"),
        pytest.param(b'\xef\xbb\xbf[{"a":1}]', [b'{"a":1}'], id="byte-order mark"),
        pytest.param(b'[1,"x",null,[2],{}]', [b"1", b'"x"', b"null", b"[2]", b"{}"], id="elements that are no objects"),
        pytest.param(b'[{"a":"\\ud800"},{"b":1}]', [b'{"a":"\\ud800"}', b'{"b":1}'], id="lone surrogate escape"),
        pytest.param(b'[{"a":NaN},{"b":-Infinity}]', [b'{"a":NaN}', b'{"b":-Infinity}'], id="NaN and Infinity"),
        pytest.param(b'[{"a":"x\x00y"},{"b":1}]', [b'{"a":"x\x00y"}', b'{"b":1}'], id="raw NUL"),
        pytest.param(b'[{"a":"x\ny"}]', [b'{"a":"x\ny"}'], id="raw line break"),
        pytest.param(b'[{"a":"\xff"},{"b":1}]', [b'{"a":"\xff"}', b'{"b":1}'], id="no UTF-8"),
        pytest.param(b'[{"a":"\xff\\udc00"},{"b":1}]', [b'{"a":"\xff\\udc00"}', b'{"b":1}'], id="both at once"),
        pytest.param(b'[{"a":"],{"},{"b":1}]', [b'{"a":"],{"}', b'{"b":1}'], id="brackets in a text"),
    ],
)
def test_each_element_keeps_its_own_bytes(body: bytes, expected: list[bytes]) -> None:
    assert records(body) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "it is empty", id="nothing"),
        pytest.param(b" \n", "it is empty", id="blanks"),
        pytest.param(b"\xef\xbb\xbf", "it is empty", id="only a mark"),
        pytest.param(b"null", "no JSON array", id="null"),
        pytest.param(b'{"Message":"error"}', "no JSON array", id="object"),
        pytest.param(b"  <html><body>Sign in</body></html>", "HTML", id="HTML"),
        pytest.param(b'[{"a":1}', "ends early", id="no end"),
        pytest.param(b'[{"a":1},', "ends early", id="after a comma"),
        pytest.param(b'[{"a":', "ends early", id="inside a record"),
        pytest.param(b'[{"a":"x', "ends early", id="inside a text"),
        pytest.param(b"[", "ends early", id="only a bracket"),
        pytest.param(b'[{"a":1}]]', "broken", id="too much"),
        pytest.param(b'[{"a":1}]<!-- -->', "broken", id="something after it"),
        pytest.param(b'[{"a":1} {"b":2}]', "broken", id="no comma"),
        pytest.param(b'[{"a":1},]', "broken", id="comma at the end"),
        pytest.param(b"[nul]", "broken", id="no JSON inside"),
        pytest.param(b"[" * 100_000 + b"]" * 99_999, "broken", id="nested without end"),
    ],
)
def test_a_body_that_is_no_whole_array_is_no_page(body: bytes, reason: str) -> None:
    with pytest.raises(PageInvalid, match=reason) as caught:
        split(body)
    assert caught.value.__cause__ is None


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=6), st.booleans(), st.sampled_from([None, 1]))
def test_both_ways_find_the_same_records(items: list[Any], ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(items, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    found = _split_leniently(body)
    assert [json.loads(bytes(raw)) for raw in found] == items if ascii_only else len(found) == len(items)
    assert records(body) == [bytes(raw) for raw in found]


@given(st.lists(st.dictionaries(st.text("abc", max_size=3), st.integers() | st.text('x]}\\"')), min_size=1), st.data())
def test_no_prefix_of_a_page_is_a_page(items: list[Any], data: st.DataObject) -> None:
    body = json.dumps(items).encode()
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(PageInvalid):
        split(body[:cut])


@pytest.mark.parametrize("depth", [50, 900, 1100, 200_000])
def test_a_record_that_is_nested_deeply_costs_nobody_else(depth: int) -> None:
    deep = b'{"EventId": 1, "X": ["]}\\\\", "\\"[", ' + b'[{"a":' * depth + b"0" + b"}]" * depth + b"]}"
    assert records(b"[" + deep + b', {"EventId": 2}]') == [deep, b'{"EventId": 2}']
    with pytest.raises(PageInvalid):
        split(b"[" + deep[:-3])
