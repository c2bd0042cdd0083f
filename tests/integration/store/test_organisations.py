"""Who hauls which organisation."""

from __future__ import annotations

import asyncio

import pytest

from mixhaul_store import observation, organisations
from mixhaul_store.database import Database
from mixhaul_store.errors import OrganisationClaimed
from mixhaul_store.organisations import Organisation

EU, UAT = "https://integrate.eu.example", "https://integrate.uat.example"


async def claim(
    database: Database, source: str, *, api_url: str = EU, external_id: int = -(2**63), **said: str
) -> Organisation:
    return await organisations.claim(database, api_url=api_url, external_id=external_id, source=source, **said)  # type: ignore[arg-type]


async def watermark(database: Database) -> int:
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT watermark FROM organisations")).fetchone()
    assert row is not None
    return int(row[0])


async def test_the_first_claim_wins(database: Database) -> None:
    first = await claim(database, "a/one")
    assert await claim(database, "a/one", api_url=f"{EU}/") == first
    with pytest.raises(OrganisationClaimed) as caught:
        await claim(database, "a/two")
    assert (caught.value.owner, caught.value.organisation, caught.value.api_url) == ("a/one", -(2**63), EU)
    assert (await organisations.by_source(database, "a/one"), await organisations.by_source(database, "a/two")) == (
        [first],
        [],
    )


async def test_of_claims_at_once_one_wins(database: Database) -> None:
    answers = await asyncio.gather(*(claim(database, f"a/{n % 3}") for n in range(12)), return_exceptions=True)
    won = {one.source for one in answers if isinstance(one, Organisation)}
    assert len(won) == 1
    assert {one.owner for one in answers if isinstance(one, OrganisationClaimed)} == won


async def test_data_centres_may_share_ids(database: Database) -> None:
    assert (await claim(database, "a/one")).id != (await claim(database, "a/two", api_url=UAT)).id


async def test_names_are_kept_until_told_otherwise(database: Database) -> None:
    assert (await claim(database, "a/one")).name is None
    mark = await watermark(database)
    named = await claim(database, "a/one", name="Transportadora São João", time_zone="America/Sao_Paulo")
    assert (named.name, named.time_zone) == ("Transportadora São João", "America/Sao_Paulo")
    assert await watermark(database) == mark + 1
    assert await claim(database, "a/one") == named
    assert await claim(database, "a/one", name="Transportadora São João") == named
    assert await watermark(database) == mark + 1
    assert (await claim(database, "a/one", name="nul\0")).name == "nul�"


async def conflicts(database: Database) -> list[tuple[str, int, str]]:
    found = await observation.read_conflicts(database)
    return [(one.source, one.organisation, one.owner) for one in found]


async def test_a_conflict_is_written_down_until_it_is_gone(database: Database) -> None:
    await claim(database, "a/one", external_id=1)
    await claim(database, "a/one", external_id=2)
    for external_id in (1, 2, 1):
        with pytest.raises(OrganisationClaimed):
            await claim(database, "a/two", external_id=external_id)
    assert await conflicts(database) == [("a/two", 1, "a/one"), ("a/two", 2, "a/one")]
    await organisations.forget_conflicts(database, "a/one", api_url=EU, wanted=[])
    await organisations.forget_conflicts(database, "a/two", api_url=f"{EU}/", wanted=[1])
    assert await conflicts(database) == [("a/two", 1, "a/one")]
    async with database.connection() as connection:
        await connection.execute("UPDATE organisations SET source = 'a/three' WHERE external_id = 1")
        assert await conflicts(database) == [("a/two", 1, "a/three")]
        await connection.execute("DELETE FROM organisations WHERE external_id = 1")
    assert await conflicts(database) == []
    await claim(database, "a/two", external_id=1)
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM organisation_conflicts")).fetchone()
    assert row == (0,)
