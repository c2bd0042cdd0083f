"""How long the driver search takes in the database, beside `ILIKE` over names as one would write it first.

A hundred thousand drivers of one organisation with Brazilian names, as often as they are there: every seventh is a
Silva. Each query is what somebody types on the way to a name: beginnings, whole names, parts, typing errors, numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from statistics import quantiles
from typing import Any

import psycopg
from psycopg import AsyncConnection

from bench import machine
from mixhaul_api.queries import driver_search
from mixhaul_store.database import Database
from support.postgres import running_server

FIRST = (
    "Maria José João Antônio Francisco Carlos Paulo Pedro Lucas Luiz Marcos Luís Gabriel Rafael Daniel Marcelo Bruno"
    " Eduardo Felipe Rodrigo Manoel Mateus André Fernando Fábio Leonardo Gustavo Guilherme Leandro Tiago Anderson"
    " Ricardo Márcio Jorge Alexandre Roberto Edson Diego Vítor Sérgio Cláudio Matheus Thiago Geraldo Adriano Luciano"
    " Júlio Renato Alex Vinícius Rogério Samuel Ronaldo Mário Flávio Igor Douglas Davi Manuel Jeferson Cícero Victor"
    " Miguel Robson Maurício Danilo Henrique Caio Reginaldo Joaquim Benedito Gilberto Marco Alan Nelson Cristiano Elias"
    " Wilson Valdir Emerson Luan Davidson Renan Severino Fabrício Mauro Jonas Gilmar Jean Fabiano Wesley Diogo Adilson"
    " Jair Alessandro Everton Osvaldo Gilson Willian Joel Sílvio Hélio Maicon Reinaldo Pablo Artur Vagner Valter Celso"
    " Ivan Cleiton Vanderlei Vicente Arthur Milton Domingos Wagner Sandro Moisés Edilson Ademir Adão Evandro César"
    " Valmir Murilo Juliano Edvaldo Aílton Breno Nicolas Ruan Alberto Rubens Nilton Augusto Cleber Osmar Zé Ana Çelik"
)
LAST = (
    "Silva Santos Oliveira Souza Rodrigues Ferreira Alves Pereira Lima Gomes Ribeiro Carvalho Almeida Lopes Soares"
    " Fernandes Vieira Barbosa Rocha Dias Nascimento Andrade Moreira Nunes Marques Machado Mendes Freitas Cardoso Ramos"
    " Gonçalves Santana Teixeira Araújo Moura Costa Martins Correia Batista Cavalcante Monteiro Pinto Castro Campos"
    " Cunha Duarte Reis Melo Medeiros Farias Azevedo Barros Peixoto Guimarães Queiroz Fonseca Coelho Viana Brito Sales"
    " Leite Xavier Macedo Siqueira Assis Bezerra Sampaio Figueiredo Tavares Pires Aguiar Bastos Vasconcelos Paiva Neves"
)
SYLLABLES = "ba be bi bo ca ce ci co da de di do fa fe ga go la le li lo ma me mi mo na ne ni no pa pe ra re ri ro"
SLOWEST = 8

Search = Callable[[AsyncConnection[Any], str], Coroutine[Any, Any, int]]


def names(count: int, chance: random.Random) -> list[str]:
    """Names as often as they are: the n-th of a list comes about 1/n as often as the first."""
    first, last, syllables = FIRST.split(), LAST.split(), SYLLABLES.split()
    rare = ["".join(chance.choices(syllables, k=3)).capitalize() for _ in range(4000)]
    firsts = [1 / (5 + number) for number in range(len(first))]
    lasts = [1 / (1 + number) for number in range(len(last))]
    found = []
    for _ in range(count):
        parts = chance.choices(first, firsts, k=chance.choice((1, 1, 2)))
        parts += ["da"] * (chance.random() < 0.3)
        parts += chance.choices(last, lasts, k=chance.choice((1, 2, 2)))
        parts += [chance.choice(rare)] * (chance.random() < 0.2)
        found.append(" ".join(parts))
    return found


def queries(known: Sequence[str], count: int, chance: random.Random) -> list[str]:
    """What people type."""
    return [chance.choice(KINDS)(chance.choice(known), chance) for _ in range(count)]


def _beginning(name: str, chance: random.Random) -> str:
    return name[: chance.randint(1, len(name))]


def _whole(name: str, _: random.Random) -> str:
    return name


def _word(name: str, chance: random.Random) -> str:
    return chance.choice(name.split())


def _begun(name: str, chance: random.Random) -> str:
    words = chance.sample(name.split(), k=2)
    return f"{words[0]} {words[1][:3]}".lower()


def _part(name: str, chance: random.Random) -> str:
    word = max(name.split(), key=len)
    return word[chance.randint(1, 2) :][:5]


def _typo(name: str, chance: random.Random) -> str:
    words = name.split()
    word = max(words, key=len)
    at = chance.randint(1, len(word) - 2)
    wrong = chance.choice(
        (word[:at] + word[at + 1 :], word[:at] + word[at + 1] + word[at] + word[at + 2 :], word[:at] + "x" + word[at:])
    )
    return " ".join(wrong if one == word else one for one in words[:2])


def _number(_: str, chance: random.Random) -> str:
    return str(chance.randint(1, 99999))


def _nobody(_: str, chance: random.Random) -> str:
    return "".join(chance.choices("qwxyzkjv", k=chance.randint(2, 8)))


KINDS = (_beginning, _beginning, _whole, _word, _begun, _begun, _part, _typo, _number, _nobody)


async def ours(connection: AsyncConnection[Any], search: str) -> int:
    """As the route does it: the first page."""
    terms = await driver_search.terms_of(connection, search)
    if not terms.words:
        return 0
    page = await driver_search.page(connection, [1], terms=terms, numbers=True, sites=None, after=None, limit=51)
    return len(page.rows)


async def ilike(connection: AsyncConnection[Any], search: str) -> int:
    """As one would write it first: no accents, no ranks, no typing errors; the words in their order."""
    pattern = "%" + "%".join(search.split()) + "%"
    cursor = await connection.execute(
        "SELECT * FROM drivers WHERE organisation_id = 1 AND (name ILIKE %s OR employee_number ILIKE %s)"
        " ORDER BY name LIMIT 51",
        (pattern, pattern),
    )
    return len(await cursor.fetchall())


def database_ms(pid: int) -> float:
    """How long a server process has been on a processor: what a busy machine does not change."""
    return int((machine.PROC / str(pid) / "schedstat").read_text(encoding="utf-8").split()[0]) / 1e6


async def measure(url: str, searches: Sequence[str]) -> None:
    """Both in turns, over one connection."""
    taken: dict[str, list[tuple[float, float, str, int]]] = {"search": [], "ILIKE": []}
    sides: dict[str, Search] = {"search": ours, "ILIKE": ilike}
    async with Database(url, application_name="mixhaul:bench") as database, database.connection() as connection:
        pid = connection.info.backend_pid
        for number, text in enumerate(searches):
            for name, side in sides.items():
                used, begun = database_ms(pid), time.perf_counter()
                rows = await side(connection, text)
                whole = 1000 * (time.perf_counter() - begun)
                if number >= len(searches) // 20:
                    taken[name].append((database_ms(pid) - used, whole, text, rows))
    print("| | database, ms: p50 | p90 | p99 | worst | with the way there, ms: p50 | p99 | found nothing |")
    print("|---|---|---|---|---|---|---|---|")
    for name, times in taken.items():
        inside, whole_times = quantiles([one[0] for one in times], n=100), quantiles([one[1] for one in times], n=100)
        empty = sum(1 for one in times if not one[3]) / len(times)
        print(
            f"| {name} | {inside[49]:.2f} | {inside[89]:.2f} | {inside[98]:.2f} | {max(times)[0]:.2f}"
            f" | {whole_times[49]:.2f} | {whole_times[98]:.2f} | {empty:.0%} |"
        )
    slowest = ", ".join(f"{text!r} {ms:.1f}" for ms, _, text, _ in sorted(taken["search"])[-SLOWEST:])
    print(f"\nSlowest searches in the database: {slowest}")


def main() -> None:
    """Fill a server, measure, throw it away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=int, default=100_000)
    parser.add_argument("--searches", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    known = names(options.drivers, chance)
    with running_server() as server, server.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO organisations (api_url, external_id, source) VALUES ('x', 1, 'bench')")
            begun = time.perf_counter()
            connection.execute(
                "INSERT INTO drivers (organisation_id, external_id, name, employee_number, removed_at)"
                " SELECT 1, n, name, n::text, CASE WHEN n %% 10 = 0 THEN now() END"
                " FROM unnest(%s::text[]) WITH ORDINALITY AS d(name, n)",
                (known,),
            )
            filled = time.perf_counter() - begun
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            words = connection.execute("SELECT count(*) FROM driver_vocabulary").fetchone()
        print(f"{options.drivers:,} drivers, {words and words[0]:,} different words, written in {filled:.1f} s")
        print(f"{machine.describe()}\n")
        asyncio.run(measure(url, queries(known, options.searches, chance)))


if __name__ == "__main__":
    main()
