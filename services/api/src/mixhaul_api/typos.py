"""How far a word that was typed is from one that exists: pure functions.

A typing error is a letter too many, a letter too few, a wrong letter, or two neighbours that changed places.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# Too short a word has too many neighbours.
SHORTEST: Final = 4
_LONG: Final = 8
_MOST_SIMILAR: Final = 40


def may_have_typos(word: str) -> bool:
    """Numbers and short words are taken as they are."""
    return len(word) >= SHORTEST and word.isalpha()


def most_errors(word: str) -> int:
    """How many errors are forgiven."""
    return 2 if len(word) >= _LONG else 1


def swapped(word: str) -> list[str]:
    """The word with each pair of neighbours changed round: what trigrams do not find."""
    found = (word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1))
    return [one for one in dict.fromkeys(found) if one != word]


def errors_between(typed: str, existing: str) -> int:
    """The least number of errors that makes one of the other, or of its beginning where a long word was typed half."""
    before: list[int] = []
    row = list(range(len(existing) + 1))
    for number, letter in enumerate(typed, 1):
        previous, row = row, [number]
        for column, other in enumerate(existing, 1):
            best = min(previous[column] + 1, row[column - 1] + 1, previous[column - 1] + (letter != other))
            if number > 1 and column > 1 and letter == existing[column - 2] and typed[number - 2] == other:
                best = min(best, before[column - 2] + 1)
            row.append(best)
        before = previous
    return min(row) if len(typed) > SHORTEST else row[-1]


def nearest(typed: str, existing: Iterable[tuple[str, int]]) -> list[str]:
    """Words that a person may have meant, the nearest and most used first; those that hold the word are no errors."""
    most = most_errors(typed)
    found = []
    for word, uses in existing:
        # The lengths say the least that it can be, and cost nothing.
        if typed in word or len(typed) - len(word) > most:
            continue
        errors = errors_between(typed, word)
        if errors <= most:
            found.append((errors, -uses, word))
    return [word for _, _, word in sorted(found)[:_MOST_SIMILAR]]
