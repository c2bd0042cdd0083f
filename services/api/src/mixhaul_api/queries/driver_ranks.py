"""The statements of the driver search, one a rank.

Each reads, for some words of the vocabulary, the drivers with that word in the order of the list and no more than a
page of each, so that a name which thousands have costs no more than a rare one.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from mixhaul_api.queries.limits import SiteLimit, within

# Shorter words are looked for at the beginnings of words only: within words they are everywhere.
SHORTEST_PART: Final = 3
# Sorts behind everything that begins with the same text.
LAST: Final = "\U0010ffff"
NUMBER: Final = 'left(mixhaul_fold(d.employee_number), 200) COLLATE "C"'


class Rank(IntEnum):
    """How well a driver matches, the best first."""

    NUMBER = 0
    PREFIX = 1
    WORDS = 2
    PARTS = 3
    SIMILAR = 4


def _begins(column: str, number: int) -> str:
    return f"strpos(' ' || {column}, ' ' || %(word{number})s::text) > 0"


def _part(column: str, number: int, words: Sequence[str]) -> str:
    if len(words[number]) < SHORTEST_PART:
        return _begins(column, number)
    return f"strpos({column}, %(word{number})s::text) > 0"


def _all(conditions: Sequence[str]) -> str:
    return f"({' AND '.join(conditions)})"


def parts_of_name(column: str, words: Sequence[str]) -> str:
    """SQL: a name holds each word somewhere."""
    return _all([_part(column, number, words) for number in range(len(words))])


def _by_column(
    rank: Rank, key: str, text: str, conditions: Sequence[str], *, limit: SiteLimit | None, going_on: bool
) -> str:
    """Drivers whose indexed text begins with another one."""
    lower, flags = f"%({text})s::text", ""
    if going_on:
        lower = f"CASE WHEN g.gone = %(gone)s::bool THEN %(key)s::text ELSE {lower} END"
        flags = "WHERE g.gone >= %(gone)s::bool"
    all_conditions = [
        "d.organisation_id = o.id",
        "(d.removed_at IS NOT NULL) = g.gone",
        f"{key} >= {lower}",
        f"{key} < %({text})s::text || '{LAST}'",
        *([_behind("g.gone", key, "d")] if going_on else []),
        *([] if limit is None else [within(limit)]),
        *conditions,
    ]
    return f"""
SELECT {rank.value}, k.gone, k.key, k.organisation_id, k.external_id
FROM unnest(%(organisations)s::bigint[]) AS o(id)
CROSS JOIN (VALUES (false), (true)) AS g(gone)
CROSS JOIN LATERAL (
    SELECT g.gone, {key} AS key, d.organisation_id, d.external_id FROM drivers d
    WHERE {" AND ".join(all_conditions)}
    ORDER BY {key}, d.external_id LIMIT %(limit)s
) k
{flags}
ORDER BY k.gone, k.key, k.organisation_id, k.external_id
LIMIT %(limit)s
"""


def _by_word(rank: Rank, vocabulary: str, conditions: Sequence[str], *, limit: SiteLimit | None, going_on: bool) -> str:
    """Drivers with one of the words that a part of the vocabulary has."""
    behind = (
        ["(w.gone, w.search_name) >= (%(gone)s::bool, %(key)s::text)", _behind("w.gone", "w.search_name", "w")]
        if going_on
        else []
    )
    if limit is not None:
        conditions = [*conditions, _of_driver(within(limit))]
    return f"""
SELECT DISTINCT {rank.value}, k.gone, k.search_name, k.organisation_id, k.external_id
FROM (
    SELECT v.organisation_id, v.word FROM driver_vocabulary v
    WHERE v.organisation_id = ANY(%(organisations)s::bigint[]) AND ({vocabulary})
) v
CROSS JOIN LATERAL (
    SELECT w.gone, w.search_name, w.organisation_id, w.external_id FROM driver_words w
    WHERE w.organisation_id = v.organisation_id AND w.word = v.word AND {" AND ".join([*behind, *conditions])}
    ORDER BY w.gone, w.search_name, w.external_id LIMIT %(limit)s
) k
ORDER BY k.gone, k.search_name, k.organisation_id, k.external_id
LIMIT %(limit)s
"""


def _behind(gone: str, key: str, table: str) -> str:
    return (
        f"({gone}, {key}, {table}.organisation_id, {table}.external_id)"
        " > (%(gone)s::bool, %(key)s::text, %(organisation)s::bigint, %(id)s::bigint)"
    )


def _of_driver(condition: str) -> str:
    return (
        "EXISTS (SELECT FROM drivers d WHERE d.organisation_id = w.organisation_id"
        f" AND d.external_id = w.external_id AND {condition})"
    )


def numbers(words: Sequence[str], *, limit: SiteLimit | None, going_on: bool) -> str:
    """Employee numbers that begin with the text, unless the name is found by it too."""
    by_name = parts_of_name("d.search_name", words)
    return _by_column(
        Rank.NUMBER, NUMBER, "number", [f"NOT coalesce({by_name}, false)"], limit=limit, going_on=going_on
    )


def prefixes(*, limit: SiteLimit | None, going_on: bool) -> str:
    """Names that begin with the text."""
    return _by_column(Rank.PREFIX, "d.search_name", "text", [], limit=limit, going_on=going_on)


def beginnings(words: Sequence[str], rarest: int, *, limit: SiteLimit | None, going_on: bool) -> str:
    """Names where each word begins a word; read by the rarest of them."""
    vocabulary = f"v.word >= %(word{rarest})s::text AND v.word < %(word{rarest})s::text || '{LAST}'"
    conditions = [
        *(_begins("w.search_name", number) for number in range(len(words)) if number != rarest),
        "NOT starts_with(w.search_name, %(text)s::text)",
    ]
    return _by_word(Rank.WORDS, vocabulary, conditions, limit=limit, going_on=going_on)


def parts(words: Sequence[str], *, limit: SiteLimit | None, going_on: bool) -> str:
    """Names that hold each word, at least one of them not at the beginning of a word."""
    long = [number for number, word in enumerate(words) if len(word) >= SHORTEST_PART]
    vocabulary = " OR ".join(
        f"(v.word LIKE %(like{number})s::text AND NOT starts_with(v.word, %(word{number})s::text))" for number in long
    )
    each_begins = _all([_begins("w.search_name", number) for number in range(len(words))])
    conditions = [parts_of_name("w.search_name", words), f"NOT {each_begins}"]
    return _by_word(Rank.PARTS, vocabulary, conditions, limit=limit, going_on=going_on)


def similar(words: Sequence[str], *, numbers: bool, limit: SiteLimit | None, going_on: bool) -> str:
    """Names that have each word or one that differs little from it, at least one only so."""
    conditions = [
        f"({_part('w.search_name', number, words)}"
        f" OR string_to_array(w.search_name, ' ') && %(similar{number})s::text[])"
        for number in range(len(words))
    ]
    conditions.append(f"NOT {parts_of_name('w.search_name', words)}")
    if numbers:
        conditions.append("NOT " + _of_driver(f"starts_with({NUMBER}, %(number)s::text)"))
    return _by_word(Rank.SIMILAR, "v.word = ANY(%(similar)s::text[])", conditions, limit=limit, going_on=going_on)
