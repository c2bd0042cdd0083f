"""Whether a support list is believed, so that rows which it lacks are marked as removed.

A list that is empty or far shorter than the last one that was believed may be the work of an outage. It is believed
once another run brings one that is short in the same way, and then only rows that both lists lack are gone. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SHORT_SHARE: Final = 0.8
"""Below this share of the last good list, a list is far shorter."""

HANDFUL: Final = 5
"""A list that lacks no more rows than these is ordinary change in a small fleet, unless it is empty."""

SIMILAR_SHARE: Final = 0.1
"""Two short lists are similar when their lengths differ by no more than this share of the good one, or a handful."""


class Verdict(StrEnum):
    """What becomes of the rows that a list lacks."""

    BELIEVED = "believed"
    """They are gone."""
    DOUBTED = "doubted"
    """They stay, until such a list has come a second time."""
    CONFIRMED = "confirmed"
    """It came a second time: what both lists lack is gone."""


@dataclass(frozen=True, slots=True)
class History:
    """How many rows the last list that was believed had, and a later short one that was not."""

    good_rows: int
    short_rows: int | None = None


def is_short(listed: int, good: int) -> bool:
    """Whether a list is empty, or far shorter than a good one."""
    if listed == 0:
        return good > 0
    return good - listed > HANDFUL and listed < good * SHORT_SHARE


def judge(listed: int, history: History) -> Verdict:
    """What to make of a list of this length."""
    if not is_short(listed, history.good_rows):
        return Verdict.BELIEVED
    if history.short_rows is None:
        return Verdict.DOUBTED
    similar = max(HANDFUL, int(history.good_rows * SIMILAR_SHARE))
    return Verdict.CONFIRMED if abs(listed - history.short_rows) <= similar else Verdict.DOUBTED
