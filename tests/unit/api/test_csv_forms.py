"""CSV: what a program reads back, and what Excel makes of it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_api.csv_forms import CsvForm, IdCell, beginning, line

NOON = datetime(2026, 11, 24, 12, 30, 15, tzinfo=ZoneInfo("America/Sao_Paulo"))


@pytest.mark.parametrize(
    ("cell", "plain", "excel"),
    [
        (None, "", ""),
        (True, "true", "sim"),
        (1234567, "1234567", "1234567"),
        (83.5, "83.5", "83,5"),
        (13.0, "13.0", "13"),
        (-22.9056, "-22.9056", "-22,9056"),
        (NOON, "2026-11-24T12:30:15.000-03:00", "24/11/2026 12:30:15"),
        (NOON.astimezone(UTC), "2026-11-24T15:30:15.000Z", "24/11/2026 15:30:15"),
        (date(2026, 11, 1), "2026-11-01", "01/11/2026"),
        (IdCell("-5126071423112345678"), "-5126071423112345678", '"=""-5126071423112345678"""'),
        ("João", "João", "João"),
        ("a,b", '"a,b"', "a,b"),
        ("a;b", "a;b", '"a;b"'),
        ('say "no"', '"say ""no"""', '"say ""no"""'),
        ("=1+1", "=1+1", "'=1+1"),
        ("@SUM(A1)", "@SUM(A1)", "'@SUM(A1)"),
    ],
    ids=repr,
)
def test_a_cell_in_both_forms(cell: object, plain: str, excel: str) -> None:
    assert line(CsvForm.PLAIN, [cell]) == f"{plain}\r\n".encode()  # type: ignore[list-item]
    assert line(CsvForm.EXCEL_BR, [cell]) == f"{excel}\r\n".encode()  # type: ignore[list-item]


def test_only_excels_form_begins_with_a_byte_order_mark() -> None:
    assert beginning(CsvForm.PLAIN) == b""
    assert beginning(CsvForm.EXCEL_BR).decode("utf-8") == "\ufeff"


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=2), max_size=4))
def test_what_is_plain_is_read_back_as_it_was(rows: list[list[str]]) -> None:
    text = b"".join(line(CsvForm.PLAIN, row) for row in rows).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == rows


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1))
def test_no_text_is_a_formula_for_excel(text: str) -> None:
    written = line(CsvForm.EXCEL_BR, [text, "x"]).decode()
    (row,) = csv.reader(io.StringIO(written, newline=""), delimiter=";")
    assert row[0].removeprefix("'") == text.removeprefix("'")
    assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
