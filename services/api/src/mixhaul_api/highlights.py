"""Which characters of a shown name a search has found: pure functions.

Names are compared folded, and folding may make two letters of one (ß, ﬁ) or none (a combining accent), so each folded
letter remembers the character that it came from. The database folds by its own rules: where they differ from these,
a range is missing, never wrong.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

# Letters that Unicode does not take apart.
_LETTERS: Final = {
    "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ŋ": "n", "þ": "th", "ŧ": "t",
    "ſ": "s",
}  # fmt: skip
_BETWEEN_WORDS: Final = frozenset("\t\n\r\u00a0 -.,;:/()\"'`´‘’–—")


class Range(NamedTuple):
    """Characters of a name, counted as code points."""

    start: int
    length: int


class _Folded(NamedTuple):
    """A name as it is compared, and for each letter the character that it came from."""

    text: str
    origins: list[int]


def ranges(name: str, words: Sequence[str], similar: Collection[str] = ()) -> list[Range]:
    """What of the name each word was found in: at the beginnings of words where there are any, or else anywhere.

    A word of the name that was taken for a misspelt one is shown whole.
    """
    folded = _fold(name)
    marked: set[int] = set()
    for word in words:
        marked |= _found(folded, word)
    for start, end in _words(folded.text):
        if folded.text[start:end] in similar and not marked.intersection(folded.origins[start:end]):
            marked.update(folded.origins[start:end])
    return _joined(_with_accents(name, marked))


def fold(character: str) -> str:
    """One character as it is compared."""
    if character in _BETWEEN_WORDS:
        return " "
    plain = unicodedata.normalize("NFKD", character)
    letters = (_LETTERS.get(one, one) for one in plain.casefold() if not unicodedata.combining(one))
    return "".join(letters)


def _fold(name: str) -> _Folded:
    text: list[str] = []
    origins: list[int] = []
    for index, character in enumerate(name):
        for letter in fold(character):
            text.append(letter)
            origins.append(index)
    return _Folded("".join(text), origins)


def _found(folded: _Folded, word: str) -> set[int]:
    places = []
    at = folded.text.find(word)
    while at >= 0:
        places.append(at)
        at = folded.text.find(word, at + 1)
    beginnings = [place for place in places if place == 0 or folded.text[place - 1] == " "]
    return {origin for place in beginnings or places for origin in folded.origins[place : place + len(word)]}


def _words(text: str) -> list[tuple[int, int]]:
    found, start = [], 0
    for part in text.split(" "):
        if part:
            found.append((start, start + len(part)))
        start += len(part) + 1
    return found


def _with_accents(name: str, marked: set[int]) -> set[int]:
    """Accents that are characters of their own belong to the letter before."""
    for index, character in enumerate(name):
        if index - 1 in marked and unicodedata.combining(character):
            marked.add(index)
    return marked


def _joined(marked: set[int]) -> list[Range]:
    found: list[Range] = []
    for index in sorted(marked):
        if found and sum(found[-1]) == index:
            found[-1] = Range(found[-1].start, found[-1].length + 1)
        else:
            found.append(Range(index, 1))
    return found
