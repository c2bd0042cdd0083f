"""Runners of sources: whoever stops leading comes to an end, whatever a source's runner is just doing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mixhaul_ingestor import runners
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_ingestor.source_set import FixedSources
from mixhaul_ingestor.state import View
from mixhaul_ingestor.wiring import Wiring
from mixhaul_runtime.clock import SystemClock
from mixhaul_source import manifest
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow
from mixhaul_store.encryption import load_or_create_key_file

SAMPLE = Path(__file__).parents[3] / "docs" / "samples" / "simulator.yaml"


class LosesCancellations:
    """A source's runner whose wait returns a result at the very moment of the cancellation, which is lost with it."""

    born: asyncio.Event

    def __init__(self, **_: Any) -> None:
        self.asked_again = 0

    async def run(self, ending: asyncio.Event) -> None:
        while not ending.is_set():
            try:
                self.born.set()
                await asyncio.sleep(0.01 if self.asked_again else 3600)
            except asyncio.CancelledError:
                if self.asked_again:
                    raise
                self.asked_again += 1


async def test_a_runner_that_loses_its_cancellation_still_ends(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "SourceRunner", LosesCancellations)
    LosesCancellations.born = asyncio.Event()
    epoch = await LeaderRow(database, holder="a", duration_seconds=15).acquire()
    assert epoch is not None
    cipher = load_or_create_key_file(tmp_path / "keys")
    leading = runners.Runners(
        source_set=FixedSources(manifest.load(SAMPLE)),
        wiring=Wiring(database=database, cipher=cipher, holder="a", settings=IngestorSettings()),
        epoch=epoch,
        view=View(),
        clock=SystemClock(),
    )
    running = asyncio.ensure_future(leading.run(asyncio.Event()))
    await LosesCancellations.born.wait()

    running.cancel()

    ended, _ = await asyncio.wait({running}, timeout=5)
    assert ended == {running}
