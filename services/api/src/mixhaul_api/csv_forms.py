"""CSV in two forms: a plain one for programs, and one that Excel opens properly by double click in Brazil.

Plain (RFC 4180): commas, decimal points, RFC 3339 times, and texts as they are. Excel's: a byte order mark, semicolons,
decimal commas, local times that Excel takes for times, and nothing that it would take for a formula. Excel keeps 15
digits of a number, so an id is a formula there that gives its text.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Final

CONTENT_TYPE: Final = "text/csv; charset=utf-8"


class CsvForm(StrEnum):
    """Which of the two."""

    PLAIN = "plain"
    EXCEL_BR = "excel-br"


class IdCell(str):
    """An id, which is no number and no formula."""

    __slots__ = ()


Cell = str | int | float | bool | date | datetime | IdCell | None

# What a spreadsheet takes for the beginning of a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def beginning(form: CsvForm) -> bytes:
    """What stands before the first line."""
    return b"\xef\xbb\xbf" if form is CsvForm.EXCEL_BR else b""


def line(form: CsvForm, cells: Iterable[Cell]) -> bytes:
    """One line, with its end."""
    if form is CsvForm.PLAIN:
        return (",".join(_quoted(_plain(cell), ",") for cell in cells) + "\r\n").encode()
    return (";".join(_quoted(_excel(cell), ";") for cell in cells) + "\r\n").encode()


def _plain(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case datetime():
            return cell.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return cell.isoformat()
        case _:
            return str(cell)


def _excel(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "sim" if cell else "não"
        case datetime():
            return f"{cell:%d/%m/%Y %H:%M:%S}"
        case date():
            return f"{cell:%d/%m/%Y}"
        case float():
            return format(cell, "f").rstrip("0").rstrip(".").replace(".", ",")
        case IdCell():
            return f'="{cell}"'
        case str() if cell.startswith(_FORMULA):
            return f"'{cell}"
        case _:
            return str(cell)


def _quoted(text: str, separator: str) -> str:
    if any(one in text for one in (separator, '"', "\r", "\n")) or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text
