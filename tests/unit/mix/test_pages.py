"""What decides progress is strict; what does not is not looked at."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mixhaul_mix import pages
from mixhaul_mix.errors import PageInvalid
from mixhaul_mix.transport import Answer

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def answered(status: int = 200, body: bytes = b"[]", **headers: str | list[str]) -> Answer:
    pairs = [
        (name.replace("_", "-").lower(), value)
        for name, values in headers.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return Answer(status, tuple(pairs), body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("True", True),
        ("False", False),
        ("true", True),
        ("FALSE", False),
        (" True\t", True),
        (["True", "True"], True),
        (["False", " False "], False),
    ],
)
def test_has_more_items(value: str | list[str], expected: bool) -> None:
    answer = answered(HasMoreItems=value)
    assert pages.has_more(answer) is expected
    assert pages.promised_more(answer) is expected


@pytest.mark.parametrize("value", ["", "1", "yes", "Tru", "True, True", "True;", "null", ["True", "False"], []])
def test_any_other_has_more_items_is_no_page_and_counts_as_the_last_one(value: str | list[str]) -> None:
    answer = answered(HasMoreItems=value)
    with pytest.raises(PageInvalid, match="HasMoreItems"):
        pages.has_more(answer)
    assert pages.promised_more(answer) is False


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 429, 500, 503])
def test_a_status_that_is_no_page_promises_nothing(status: int) -> None:
    assert pages.promised_more(answered(status, HasMoreItems="True")) is None
    assert pages.promised_more(answered(status, HasMoreItems="perhaps")) is None
    assert pages.promised_more(answered(status)) is None


@pytest.mark.parametrize("status", [302, 401, 404, 500])
def test_an_error_that_says_that_there_is_no_more_is_believed(status: int) -> None:
    assert pages.promised_more(answered(status, HasMoreItems="False")) is False


@pytest.mark.parametrize(
    "value", ["20260501000000000", "NEW", "a-b_c.d~e", "x+y=z:&,;@!$'()*", "a/b?c#d%2F\\", ["same", "same"]]
)
def test_next_token(value: str | list[str]) -> None:
    assert pages.next_token(answered(GetSinceToken=value)) == (value if isinstance(value, str) else value[0])


@pytest.mark.parametrize("value", ["", "   ", "a b", "..", "tok\xe9n", "x" * 600, ["one", "two"], []])
def test_any_other_token_is_no_page(value: str | list[str]) -> None:
    with pytest.raises(PageInvalid, match="GetSinceToken") as caught:
        pages.next_token(answered(GetSinceToken=value))
    assert "tok\xe9n" not in str(caught.value)


def test_records_of_an_answer() -> None:
    assert [bytes(raw) for raw in pages.records(answered(206, b"[1]"))] == [b"1"]
    assert pages.records(answered(204, b"")) == []


@pytest.mark.parametrize("content_type", ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"])
def test_html_by_its_content_type_is_no_page(content_type: str) -> None:
    with pytest.raises(PageInvalid, match="HTML"):
        pages.records(answered(200, b"[]", Content_Type=content_type))
    with pytest.raises(PageInvalid, match="HTML"):
        pages.tree(answered(200, b"{}", Content_Type=content_type))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], None),
        ("0", 0.0),
        ("7", 7.0),
        (" 30 ", 30.0),
        ("999999", 3600.0),
        ("Fri, 01 May 2026 12:01:00 GMT", 60.0),
        ("Fri, 01 May 2026 11:59:00 GMT", 0.0),
        ("Fri, 01 May 2026 12:01:00", 60.0),
        ("Fri, 08 May 2026 12:00:00 GMT", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("Fri, 01 May 99999999999 12:00:00 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2300", 0.0),
    ],
)
def test_retry_after(value: str | list[str], expected: float | None) -> None:
    assert pages.retry_after_seconds(answered(429, Retry_After=value), now=NOW) == expected


@pytest.mark.parametrize("date", ["Wed, 11 Mar 2020 08:59:30 GMT", "Wed, 11 Mar 2099 08:59:30 GMT"])
def test_a_time_in_retry_after_is_by_the_clock_of_its_answer(date: str) -> None:
    answer = answered(429, Retry_After=date.replace("59:30", "59:50"), Date=date)
    assert pages.retry_after_seconds(answer, now=NOW) == 20.0
    assert pages.retry_after_seconds(answered(429, Retry_After=date, Date="no date"), now=NOW) in {0.0, 3600.0}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"GroupId":1}', [{"GroupId": 1}]),
        (b'\xef\xbb\xbf[{"GroupId":1},{"GroupId":2}]', [{"GroupId": 1}, {"GroupId": 2}]),
    ],
)
def test_a_tree_may_be_an_object_or_a_list(body: bytes, expected: list[object]) -> None:
    assert pages.tree(answered(200, body)) == expected


@pytest.mark.parametrize("body", [b"", b"null", b"1", b'"x"', b'{"GroupId":1', b"<html>", b"[" * 100_000, b"\xff"])
def test_a_tree_must_be_whole(body: bytes) -> None:
    with pytest.raises(PageInvalid):
        pages.tree(answered(200, body))
