"""Sentences of conditions. They change only when what they say does: no ages, no counts that run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

_MOST_NAMED: Final = 3
_LONGEST: Final = 1000


def listed(things: Sequence[object]) -> str:
    """The first few by name, the rest by number; each once."""
    different = list(dict.fromkeys(str(thing) for thing in things))
    names = different[:_MOST_NAMED]
    rest = len(different) - len(names)
    if rest:
        names.append(f"{rest} more")
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def behind(lag: timedelta) -> str:
    """How far behind, in steps so coarse that the sentence rarely changes."""
    for least, words in _STEPS:
        if lag >= least:
            return f"more than {words}"
    return f"less than {_STEPS[-1][1]}"


def shortened(text: str) -> str:
    """What others wrote, on one line and bounded."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


_STEPS: Final = (
    (timedelta(days=7), "7 days"),
    (timedelta(days=6), "6 days"),
    (timedelta(days=3), "3 days"),
    (timedelta(days=1), "a day"),
    (timedelta(hours=6), "6 hours"),
    (timedelta(hours=1), "an hour"),
    (timedelta(minutes=10), "10 minutes"),
)
