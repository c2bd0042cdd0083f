"""Ids of MiX in HTTP: signed 64-bit numbers as decimal strings, because a JSON number in a browser loses digits."""

from __future__ import annotations

import re
from typing import Final

LOWEST: Final = -(2**63)
HIGHEST: Final = 2**63 - 1
PATTERN: Final = r"^-?[0-9]{1,19}$"

_ID: Final = re.compile(r"-?[0-9]{1,19}")


def parse_id(text: str) -> int:
    """The number; ValueError with a sentence where it is none or lies beyond 64 bits."""
    if not _ID.fullmatch(text):
        raise ValueError("must be a whole number in decimal digits, such as -5126071423112345678")
    number = int(text)
    if not LOWEST <= number <= HIGHEST:
        raise ValueError("is beyond a signed 64-bit number, so no id of MiX")
    return number


def format_id(number: int | None) -> str | None:
    """The string of an id that may be absent."""
    return None if number is None else str(number)
