"""Who wrote what, when, as the trail in the database has it."""

from __future__ import annotations

from datetime import datetime

from cluster.acts import eventually
from cluster.ingestor.bed import Bed


def no_two_wrote(bed: Bed) -> None:
    """Every write was the leader's of its moment, no epoch wrote after a later one had begun to; MiX saw no misuse."""
    writes_in_order(bed)
    assert bed.haul.records()["violations"] == []


def writes_in_order(bed: Bed) -> None:
    writes = bed.writes()
    assert len(writes) > 3
    assert [each for each in writes if each[1] != each[3]] == []
    epochs = [epoch for _, _, epoch, _ in writes]
    assert epochs == sorted(epochs)


def last_write(bed: Bed, name: str) -> datetime:
    return max(at for at, writer, _, _ in bed.writes() if writer.startswith(f"mixhaul:{name}-"))


def first_write(bed: Bed, name: str, *, after: datetime) -> datetime:
    """Waits for it."""

    def look() -> datetime | None:
        found = [at for at, writer, _, _ in bed.writes() if writer.startswith(f"mixhaul:{name}-") and at > after]
        return min(found, default=None)

    return eventually(look, within=60)
