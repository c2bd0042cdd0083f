"""Random pages against a model that is written down as the design says it, one event after the other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from mixhaul_store.records import EventRow
from support.store_haul import NOON, Haul, event, later


@dataclass
class Stored:
    """What one event should look like."""

    first_seen: datetime
    observed_at: datetime
    occurred_at: datetime
    value: float | None


def apply(model: dict[int, Stored], rows: list[EventRow], *, at: datetime) -> None:
    """The last of an id in the page; newer observations only; no change where nothing differs."""
    for row in {one.external_id: one for one in rows}.values():
        value = row.values[8]
        known = model.get(row.external_id)
        if known is None:
            model[row.external_id] = Stored(at, at, row.occurred_at or at, value)
            continue
        occurred_at = row.occurred_at or known.first_seen
        if at > known.observed_at and (occurred_at, value) != (known.occurred_at, known.value):
            known.observed_at, known.occurred_at, known.value = at, occurred_at, value


@pytest.mark.parametrize("seed", range(3))
async def test_random_pages(haul: Haul, seed: int) -> None:
    chance = random.Random(seed)
    times = [None, NOON, NOON - timedelta(days=45), datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 5, 6, tzinfo=UTC)]
    model: dict[int, Stored] = {}
    for number in range(25):
        at = later(number if chance.random() < 0.7 else chance.randrange(number + 1))
        rows = [
            event(chance.randrange(15), chance.choice(times), value=chance.choice([None, 0.0, 1.0, 2.0]))
            for _ in range(chance.randrange(12))
        ]
        result = await haul.deliver(*rows, at=at)
        before = len(model)
        apply(model, rows, at=at)
        assert result.inserted == len(model) - before
        assert result.inserted + result.updated + result.unchanged == len(rows)
    stored = {
        row["external_id"]: Stored(row["first_seen"], row["observed_at"], row["occurred_at"], row["value"])
        for row in await haul.rows(
            "SELECT e.*, k.observed_at AS first_seen FROM telemetry_events e"
            " JOIN event_keys k USING (organisation_id, external_id, occurred_at)"
        )
    }
    assert stored == model
    counts = await haul.row("SELECT (SELECT count(*) FROM telemetry_events) e, (SELECT count(*) FROM event_keys) k")
    assert counts == {"e": len(model), "k": len(model)}
