"""Drivers as people type them: ranked, and read rank by rank until the page is full.

Words may come in any order; where a rank is not reached, its statement is not sent. Statements are planned for their
own words: a plan for words in general would be poor for most of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection

from mixhaul_api import typos
from mixhaul_api.queries import driver_ranks as ranks
from mixhaul_api.queries.driver_ranks import LAST, SHORTEST_PART, Rank
from mixhaul_api.queries.driver_rows import COLUMNS, SITE, DriverRow, Listed, Place
from mixhaul_api.queries.execution import fetched
from mixhaul_api.queries.limits import SiteLimit
from mixhaul_api.queries.limits import parameters as limit_parameters

MOST_WORDS: Final = 8
_Key = tuple[int, bool, str, int, int]

_FOLD: Final = "SELECT mixhaul_words(%s::text), left(btrim(mixhaul_fold(%s::text)), 200)"
_USES: Final = f"""
SELECT a.n, coalesce(sum(v.uses), 0)
FROM unnest(%(words)s::text[]) WITH ORDINALITY AS a(word, n)
LEFT JOIN driver_vocabulary v ON v.organisation_id = ANY(%(organisations)s::bigint[])
    AND v.word >= a.word AND v.word < a.word || '{LAST}'
GROUP BY a.n ORDER BY a.n
"""
_CANDIDATES: Final = f"""
SELECT a.n, v.word, sum(v.uses)
FROM unnest(%(words)s::text[], %(numbers)s::int[]) AS a(word, n)
JOIN driver_vocabulary v ON v.word %% a.word AND v.organisation_id = ANY(%(organisations)s::bigint[])
GROUP BY 1, 2
UNION ALL
SELECT a.n, v.word, sum(v.uses)
FROM unnest(%(swapped)s::text[], %(swapped_numbers)s::int[]) AS a(word, n)
JOIN driver_vocabulary v ON v.organisation_id = ANY(%(organisations)s::bigint[])
    AND v.word >= a.word AND v.word < a.word || '{LAST}'
GROUP BY 1, 2
"""
_ROWS: Final = f"""
SELECT {COLUMNS}
FROM unnest(%s::bigint[], %s::bigint[]) AS k(organisation_id, external_id)
JOIN drivers d ON d.organisation_id = k.organisation_id AND d.external_id = k.external_id {SITE}
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was looked for, as names are compared."""

    words: tuple[str, ...]
    number: str

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search, and the words that were taken for misspelt ones."""

    rows: Listed
    similar: frozenset[str]


async def terms_of(connection: AsyncConnection[Any], search: str) -> Terms:
    """The search as names are compared; without words where it holds nothing but blanks and hyphens."""
    ((words, number),) = await fetched(connection, "drivers.terms", _FOLD, (search, search))
    return Terms(tuple(dict.fromkeys(words.split()))[:MOST_WORDS], number)


async def page(
    connection: AsyncConnection[Any],
    organisation_ids: Sequence[int],
    *,
    terms: Terms,
    numbers: bool,
    sites: SiteLimit | None,
    after: Place | None,
    limit: int,
) -> Found:
    """The next drivers. `numbers`: employee numbers are looked through too."""
    search = _Search(connection, list(organisation_ids), terms, numbers=numbers, sites=sites, after=after, limit=limit)
    keys = await search.keys()
    rows = await fetched(connection, "drivers.rows", _ROWS, ([key[3] for key in keys], [key[4] for key in keys]))
    by_key = {(row[0], row[1]): DriverRow(*row) for row in rows}
    listed = [
        (Place(rank, int(gone), 1, key, organisation_id, external_id), by_key[organisation_id, external_id])
        for rank, gone, key, organisation_id, external_id in keys
        if (organisation_id, external_id) in by_key
    ]
    return Found(listed, frozenset(search.similar))


class _Search:
    """One page of a search on its way."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        organisation_ids: list[int],
        terms: Terms,
        *,
        numbers: bool,
        sites: SiteLimit | None,
        after: Place | None,
        limit: int,
    ) -> None:
        self._connection = connection
        self.similar: list[str] = []
        self._terms = terms
        self._numbers = numbers
        self._sites = sites
        self._after = after
        self._limit = limit
        self._found: list[_Key] = []
        self._parameters: dict[str, object] = {
            "organisations": organisation_ids,
            "text": terms.text,
            "number": terms.number,
        } | limit_parameters(sites)
        for number, word in enumerate(terms.words):
            self._parameters |= {f"word{number}": word, f"like{number}": f"%{_escaped(word)}%"}
        if after is not None:
            self._parameters |= {
                "gone": bool(after.gone),
                "key": after.key,
                "organisation": after.organisation_id,
                "id": after.external_id,
            }

    async def keys(self) -> list[_Key]:
        """Rank by rank, beginning with that of the cursor."""
        words = self._terms.words
        if self._numbers and self._wanted(Rank.NUMBER):
            await self._read(ranks.numbers(words, limit=self._sites, going_on=self._going_on(Rank.NUMBER)))
        if self._wanted(Rank.PREFIX):
            await self._read(ranks.prefixes(limit=self._sites, going_on=self._going_on(Rank.PREFIX)))
        if self._wanted(Rank.WORDS):
            rarest = await self._rarest()
            if rarest is not None:
                await self._read(
                    ranks.beginnings(words, rarest, limit=self._sites, going_on=self._going_on(Rank.WORDS))
                )
        if self._wanted(Rank.PARTS) and any(len(word) >= SHORTEST_PART for word in words):
            await self._read(ranks.parts(words, limit=self._sites, going_on=self._going_on(Rank.PARTS)))
        if self._wanted(Rank.SIMILAR):
            await self._read_similar()
        return self._found

    def _wanted(self, rank: Rank) -> bool:
        return len(self._found) < self._limit and (self._after is None or self._after.rank <= rank)

    def _going_on(self, rank: Rank) -> bool:
        return self._after is not None and self._after.rank == rank

    async def _rarest(self) -> int | None:
        """Which word fewest drivers have a word with at its beginning; None where one of them nobody has."""
        rows = await self._fetched(_USES, {"words": list(self._terms.words)})
        uses = [row[1] for row in rows]
        return None if 0 in uses else uses.index(min(uses))

    async def _read_similar(self) -> None:
        words = self._terms.words
        numbered = [(number, word) for number, word in enumerate(words) if typos.may_have_typos(word)]
        if not numbered:
            return
        swapped = [(number, one) for number, word in numbered for one in typos.swapped(word)]
        rows = await self._fetched(
            _CANDIDATES,
            {
                "words": [word for _, word in numbered],
                "numbers": [number for number, _ in numbered],
                "swapped": [word for _, word in swapped],
                "swapped_numbers": [number for number, _ in swapped],
            },
        )
        similar: dict[str, object] = {f"similar{number}": [] for number in range(len(words))}
        for number, word in numbered:
            candidates = {row[1]: int(row[2]) for row in rows if row[0] == number}
            nearest = typos.nearest(word, candidates.items())
            similar[f"similar{number}"] = nearest
            self.similar += nearest
        if self.similar:
            statement = ranks.similar(
                words, numbers=self._numbers, limit=self._sites, going_on=self._going_on(Rank.SIMILAR)
            )
            await self._read(statement, similar | {"similar": self.similar})

    async def _read(self, statement: str, more: dict[str, object] | None = None) -> None:
        self._found += await self._fetched(statement, {"limit": self._limit - len(self._found)} | (more or {}))

    async def _fetched(self, statement: str, more: dict[str, object]) -> list[Any]:
        return await fetched(self._connection, "drivers.search", statement, self._parameters | more, prepare=False)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
