"""Finding drivers: ranks, marks, typing errors, numbers, pages; and the words that it all goes by."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from mixhaul_api import highlights
from mixhaul_api.queries import driver_ranks, driver_search
from mixhaul_api.queries.driver_ranks import Rank
from mixhaul_api.queries.driver_rows import Place
from mixhaul_api.queries.limits import SiteLimit
from mixhaul_store.database import Database
from support import api_data
from support.api_data import MARK_A, ORGANISATION_A
from support.postgres import Server

FIRST = ("João", "José", "Ana", "Luciana", "Antônio", "D'Ávila", "Groß", "Maria-Clara", "Zé", "Éder", "Ão")
LAST = ("Silva", "da Silva", "Silveira", "Vasilva", "Sales", "Salva", "Anastácio", "Oliveira 12", "da", "%_\\")
SEARCHES = (
    *(
        "silva",
        "SILVA jo",
        "ana",
        "an",
        "a",
        "12",
        "1",
        "20",
        "vila",
        "avila",
        "d'avila",
        "gros",
        "gross",
        "ao",
        "da da",
    ),
    *("slva", "sliva", "joao slva", "olivira", "anastasio", "ana silv zé", "%", "_", "\\", "%_", "maria clara", "zz"),
)


def found(client: Any, search: str, *, role: str = "reader", limit: int = 200) -> list[tuple[str, str, list[str]]]:
    """Name, why, and what is marked of each."""
    page = client(ORGANISATION_A, role=role).get("/api/drivers", params={"search": search, "limit": limit})
    return [
        (
            one["name"],
            one["match"]["by"],
            [one["name"][mark["start"] :][: mark["length"]] for mark in one["match"]["highlights"]],
        )
        for one in page.raise_for_status().json()["items"]
    ]


def test_the_best_match_comes_first_and_says_why(client: Any) -> None:
    assert found(client, "silva") == [
        ("SILVA, Pedro", "prefix", ["SILVA"]),
        ("Silvana Prado", "prefix", ["Silva"]),
        ("Silva Removido", "prefix", ["Silva"]),
        ("João da Silva", "words", ["Silva"]),
        ("Maria Silva", "words", ["Silva"]),
        ("Antônio Vasilva", "parts", ["silva"]),
    ]


@pytest.mark.parametrize(
    ("search", "wanted"),
    [
        ("sil joao", [("João da Silva", "words", ["João", "Sil"])]),
        ("joao dasilva", []),
        ("sliva", ["João da Silva", "Maria Silva", "SILVA, Pedro", "Silvana Prado", "Silva Removido"]),
        ("joao slva", [("João da Silva", "similar", ["João", "Silva"])]),
        ("antonio vasliva", [("Antônio Vasilva", "similar", ["Antônio", "Vasilva"])]),
        ("strasse", [("Straße Groß", "prefix", ["Straße"])]),
        ("gros", [("Straße Groß", "words", ["Groß"])]),
        ("cagla unal", [("Çağla Ünal", "prefix", ["Çağla", "Ünal"])]),
        ("lv", []),
        ("'-", None),
    ],
    ids=str,
)
def test_people_are_found_as_they_are_typed(client: Any, search: str, wanted: list[Any] | None) -> None:
    if wanted is None:
        everybody = client(ORGANISATION_A).get("/api/drivers", params={"search": search}).json()["items"]
        assert len(everybody) > 30
        assert "match" not in everybody[0]
        return
    rows = found(client, search)
    assert ([row[0] for row in rows] if wanted and isinstance(wanted[0], str) else rows) == wanted


def test_numbers_are_found_by_those_who_may_see_them_and_by_nobody_else(client: Any, fleet: Any) -> None:
    fleet.execute(
        "UPDATE drivers SET employee_number = 'MT-204' || mod(external_id, 10) WHERE external_id IN (8000, 8001)"
    )
    try:
        for role in ("analyst", "auditor", "admin"):
            assert found(client, "mt-204", role=role) == [
                ("Silvana Prado", "employeeNumber", []),
                ("Maria Silva", "employeeNumber", []),
            ]
        assert found(client, "MT-2041", role="analyst") == [("Maria Silva", "employeeNumber", [])]
        assert found(client, "mt-204", role="reader") == []
    finally:
        fleet.execute(
            f"UPDATE drivers SET employee_number = '{MARK_A}-personal-number' WHERE external_id < 8010 "
            "AND external_id >= 8000"
        )


@pytest.fixture(scope="module")
def crowd(postgres_server: Server) -> Iterator[str]:
    """Two organisations with all combinations of some names, a tenth of them gone, some at no site."""
    chance = random.Random(7)
    with postgres_server.database() as url, psycopg.connect(url) as connection:
        for organisation in (1, 2):
            api_data.organisation(connection, api_data.API_URL, organisation, str(organisation), None)
        everybody = [f"{first} {last}" for first in FIRST for last in LAST]
        rows = [
            (1 + number % 2, number, name, str(number), chance.random() < 0.1, number % 3)
            for number, name in enumerate(chance.sample(everybody, k=len(everybody)))
        ]
        connection.cursor().executemany(
            "INSERT INTO drivers (organisation_id, external_id, name, employee_number, removed_at, site_external_id)"
            " VALUES (%s, %s, %s, %s, CASE WHEN %s THEN now() END, %s)",
            rows,
        )
        connection.commit()
        yield url


Key = tuple[int, int]


def expected(connection: psycopg.Connection[Any], search: str, *, numbers: bool) -> dict[Key, Rank]:
    """Who is found and with which rank, misspelt ones apart, by looking at everybody."""
    text = connection.execute("SELECT mixhaul_words(%s)", (search,)).fetchone()
    assert text is not None
    words = list(dict.fromkeys(text[0].split()))
    ranks: dict[Key, Rank] = {}
    for organisation, external_id, name, number in connection.execute(
        "SELECT organisation_id, external_id, search_name, employee_number FROM drivers"
    ):
        begins = [f" {word}" in f" {name}" for word in words]
        parts = [begun or (len(word) >= 3 and word in name) for word, begun in zip(words, begins, strict=True)]
        rank = None
        if name.startswith(" ".join(words)):
            rank = Rank.PREFIX
        elif all(begins):
            rank = Rank.WORDS
        elif all(parts):
            rank = Rank.PARTS
        elif numbers and number.startswith(search.strip().lower()):
            rank = Rank.NUMBER
        if rank is not None:
            ranks[organisation, external_id] = rank
    return ranks


async def pages(
    connection: AsyncConnection[Any], search: str, *, numbers: bool, limit: int, sites: SiteLimit | None = None
) -> list[Place]:
    """All that is found, page by page."""
    places: list[Place] = []
    terms = await driver_search.terms_of(connection, search)
    while True:
        page = await driver_search.page(
            connection,
            [1, 2],
            terms=terms,
            numbers=numbers,
            sites=sites,
            after=places[-1] if places else None,
            limit=limit + 1,
        )
        places += [place for place, _ in page.rows[:limit]]
        if len(page.rows) <= limit:
            return places


@pytest.mark.parametrize("search", SEARCHES)
async def test_everybody_is_found_once_with_the_right_rank_whatever_the_pages(crowd: str, search: str) -> None:
    async with Database(crowd, application_name="mixhaul:test") as database, database.connection() as connection:
        with psycopg.connect(crowd) as reader:
            wanted = {numbers: expected(reader, search, numbers=numbers) for numbers in (True, False)}
        for numbers in (True, False):
            places = await pages(connection, search, numbers=numbers, limit=1000)
            got = {(one.organisation_id, one.external_id): Rank(one.rank) for one in places}
            assert {key: rank for key, rank in got.items() if rank is not Rank.SIMILAR} == wanted[numbers]
            assert len(got) == len(places)
            order = [(one.rank, one.gone, one.key.encode(), one.organisation_id, one.external_id) for one in places]
            assert order == sorted(order)
            if numbers:
                assert await pages(connection, search, numbers=True, limit=3 if len(places) < 40 else 11) == places


async def test_a_limit_to_sites_holds_in_every_rank(crowd: str) -> None:
    limit = SiteLimit(frozenset({(1, 0), (2, 1)}))
    with psycopg.connect(crowd) as reader:
        sites = {
            (row[0], row[1]): row[2]
            for row in reader.execute("SELECT organisation_id, external_id, site_external_id FROM drivers")
        }
    seen: set[int] = set()
    async with Database(crowd, application_name="mixhaul:test") as database, database.connection() as connection:
        for search in ("1", "ana", "silva", "slva"):
            everybody = await pages(connection, search, numbers=True, limit=1000)
            within = [
                one
                for one in everybody
                if limit.holds(one.organisation_id, sites[one.organisation_id, one.external_id])
            ]
            assert await pages(connection, search, numbers=True, limit=1000, sites=limit) == within
            seen |= {one.rank for one in within}
    assert seen == set(map(int, Rank))


def test_the_words_follow_the_drivers_whatever_is_written(database_url: str) -> None:
    chance = random.Random(3)
    names = [f"{first} {last}" for first in FIRST for last in LAST] + [None, "", "...", "x" * 5000]
    with psycopg.connect(database_url, autocommit=True) as connection:
        api_data.organisation(connection, api_data.API_URL, 1, "1", None)
        for _ in range(60):
            ids = chance.sample(range(30), k=chance.randint(1, 12))
            match chance.choice(("upsert", "upsert", "remove", "back", "seen", "delete")):
                case "upsert":
                    connection.execute(
                        "INSERT INTO drivers (organisation_id, external_id, name)"
                        " SELECT 1, * FROM unnest(%s::bigint[], %s::text[])"
                        " ON CONFLICT (organisation_id, external_id) DO UPDATE SET name = excluded.name",
                        (ids, chance.choices(names, k=len(ids))),
                    )
                case "remove":
                    connection.execute("UPDATE drivers SET removed_at = now() WHERE external_id = ANY(%s)", (ids,))
                case "back":
                    connection.execute("UPDATE drivers SET removed_at = NULL WHERE external_id = ANY(%s)", (ids,))
                case "seen":
                    connection.execute("UPDATE drivers SET last_seen_at = now()")
                case "delete":
                    connection.execute("DELETE FROM drivers WHERE external_id = ANY(%s)", (ids[:3],))
            words = connection.execute(
                "SELECT word, gone, search_name, external_id FROM driver_words ORDER BY 4, 1"
            ).fetchall()
            assert (
                words
                == connection.execute(
                    'SELECT DISTINCT w COLLATE "C", removed_at IS NOT NULL, search_name, external_id'
                    " FROM drivers, unnest(string_to_array(search_name, ' ')) w WHERE w <> '' ORDER BY 4, 1"
                ).fetchall()
            )
            assert dict(connection.execute("SELECT word, uses FROM driver_vocabulary").fetchall()) == {
                word: sum(one[0] == word for one in words) for word, *_ in words
            }
        assert words
        connection.execute("DELETE FROM organisations")
        assert connection.execute("SELECT FROM driver_vocabulary").fetchall() == []


def test_marks_are_made_by_the_same_letters_as_the_search(fleet: Any) -> None:
    """Of the letters that names of Latin script are made of, and their ligatures."""
    spans = ((0x41, 0x180), (0x1EA0, 0x1EFA), (0xFB00, 0xFB07))
    letters = [chr(code) for span in spans for code in range(*span) if chr(code).isalpha()]
    folded = dict(fleet.execute("SELECT l, mixhaul_fold(l) FROM unnest(%s::text[]) l", letters))
    differing = {one for one in letters if folded[one] != highlights.fold(one)}
    # Signs, and letters of Greenland, Catalonia and South Africa.
    assert differing <= set("ĸĿŀŉªºµ"), {one: (folded[one], highlights.fold(one)) for one in differing}


def test_a_common_name_is_read_no_further_than_a_page(postgres_server: Server) -> None:
    with postgres_server.database() as url, psycopg.connect(url) as connection:
        api_data.organisation(connection, api_data.API_URL, 1, "1", None)
        connection.execute(
            "INSERT INTO drivers (organisation_id, external_id, name)"
            " SELECT 1, n, 'Motorista ' || n || ' da Silva' FROM generate_series(1, 3000) n"
        )
        connection.execute("ANALYZE")
        given = {"organisations": [1], "limit": 51, "text": "silva", "word0": "silva", "like0": "%silva%"}
        statement = driver_ranks.beginnings(["silva"], 0, limit=None, going_on=False)
        row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), given).fetchone()
        assert row is not None
    nodes, left = [], [row[0][0]["Plan"]]
    while left:
        nodes.append(left.pop())
        left += nodes[-1].get("Plans", [])
    (words,) = [node for node in nodes if node.get("Relation Name") == "driver_words"]
    assert words["Node Type"] in ("Index Only Scan", "Index Scan")
    assert words["Actual Rows"] <= 51
