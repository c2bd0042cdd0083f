"""Text search in SQL: words found anywhere in a folded text, whatever their case and accents.

Patterns are escaped after folding, since `unaccent` makes a plain `%` of a full-width one.
"""

from __future__ import annotations

from typing import Final

MOST_WORDS: Final = 8


def words_of(search: str | None) -> list[str]:
    """The words of a search text; more than eight of them narrow nothing that a person would notice."""
    return (search or "").split()[:MOST_WORDS]


def escaped(parameter: str) -> str:
    """SQL: the folded text of a named parameter, safe inside of a LIKE pattern."""
    folded = f"mixhaul_fold(%({parameter})s::text)"
    return rf"replace(replace(replace({folded}, '\', '\\'), '%%', '\%%'), '_', '\_')"


def contains(column: str, parameter: str) -> str:
    """SQL: the folded column holds the word anywhere."""
    return f"mixhaul_fold({column}) LIKE '%%' || {escaped(parameter)} || '%%'"


def begins_word(folded: str, parameter: str) -> str:
    """SQL: a word of the folded text begins with this one."""
    return f"' ' || {folded} LIKE '%% ' || {escaped(parameter)} || '%%'"


def begins(folded: str, parameter: str) -> str:
    """SQL: the folded text begins with this one."""
    return f"{folded} LIKE {escaped(parameter)} || '%%'"
