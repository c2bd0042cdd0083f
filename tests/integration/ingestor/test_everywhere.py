"""The leader's own work for every organisation: what is not due costs no client, what fails costs nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mixhaul_ingestor.ending import Ending
from mixhaul_ingestor.everywhere import each_organisation
from mixhaul_ingestor.jobs import Leading
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_ingestor.wiring import Wiring
from mixhaul_mix.client import MixClient
from mixhaul_mix.errors import ServerError
from mixhaul_runtime.clock import SystemClock
from mixhaul_source import manifest
from mixhaul_source.manifest import Source
from mixhaul_store import organisations
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow
from mixhaul_store.encryption import Cipher, create_key_file
from mixhaul_store.errors import StaleEpoch
from mixhaul_store.organisations import Organisation

MANIFEST = """
apiVersion: mixhaul.io/v1alpha1
kind: MixSource
metadata: {{name: {name}}}
spec: {{endpoint: {{dataCentre: eu}}, secretRef: {{name: login}}, suspend: {suspend}, organisationIDs: {ids}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: login}}
stringData: {{clientID: a, clientSecret: b, username: c, password: d}}
"""


async def leading(database: Database, folder: Path) -> Leading:
    """`a` has organisations 1 to 3 and names two of them, `b` has number 4, `c` has number 5 and is suspended."""
    known: dict[str, Source] = {}
    for name, suspend, ids, has in (
        ("a", "false", '["1", "2"]', (1, 2, 3)),
        ("b", "false", "[]", (4,)),
        ("c", "true", "[]", (5,)),
    ):
        file = folder / f"{name}.yaml"
        file.write_text(MANIFEST.format(name=name, suspend=suspend, ids=ids), encoding="utf-8")
        known |= {one.key: one for one in manifest.load(file)}
        for number in has:
            await organisations.claim(database, api_url="https://x", external_id=number, source=f"default/{name}")
    create_key_file(folder / "keys")
    wiring = Wiring(
        database=database, cipher=Cipher.from_file(folder / "keys"), holder="test", settings=IngestorSettings()
    )
    epoch = await LeaderRow(database, holder="test", duration_seconds=60).acquire()
    assert epoch is not None
    return Leading(wiring=wiring, epoch=epoch, clock=SystemClock(), ending=asyncio.Event(), sources=lambda: known)


async def test_each_organisation(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = await leading(database, tmp_path)
    clients: list[str] = []
    make = Wiring.client

    def counted(wiring: Wiring, source: Source) -> MixClient:
        clients.append(source.key)
        return make(wiring, source)

    monkeypatch.setattr(Wiring, "client", counted)
    done: list[tuple[int, int]] = []
    looked: list[int] = []
    fails: dict[int, Exception] = {}

    async def due(_: Source, organisation: Organisation) -> int | None:
        looked.append(organisation.external_id)
        return None if organisation.external_id == 4 else organisation.external_id * 10

    async def work(_: Source, organisation: Organisation, client: MixClient, plan: int) -> None:
        assert isinstance(client, MixClient)
        if (error := fails.get(organisation.external_id)) is not None:
            raise error
        done.append((organisation.external_id, plan))

    async def run() -> None:
        looked.clear()
        done.clear()
        await each_organisation(begun, task="x", due=due, work=work)

    await run()
    assert (sorted(looked), sorted(done), clients) == ([1, 2, 4], [(1, 10), (2, 20)], ["default/a"])

    fails[1] = ServerError(503)
    with pytest.raises(ServerError):
        await run()
    assert done == [(2, 20)]

    fails[1] = StaleEpoch(lease="ingestor", epoch=1)
    with pytest.raises(StaleEpoch):
        await run()

    # What was cut off by the end is not done, whatever else went well.
    fails[1] = Ending()
    begun.ending.set()
    with pytest.raises(Ending):
        await run()
    unknown = replace(begun, sources=dict)
    with pytest.raises(Ending):
        await each_organisation(unknown, task="x", due=due, work=work)
