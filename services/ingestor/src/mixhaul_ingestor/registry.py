"""Which jobs and tasks the leader has: one line each."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from mixhaul_ingestor import amending, backfilling, care, deleting, keeping, reconciling, sync, verifying
from mixhaul_ingestor.jobs import Kind, Task

KINDS: Final = (
    Kind("sync", sync.on_request),
    backfilling.BACKFILL,
    verifying.VERIFY,
    Kind("delete", deleting.on_request, needs_source=False),
    Kind("prune", keeping.on_request, needs_source=False),
)

# Those that look often ask for what is due only, organisation by organisation.
LOOK: Final = timedelta(minutes=15)
TASKS: Final = (
    Task("partitions", every=timedelta(hours=24), run=care.partitions),
    Task("retention", every=timedelta(hours=24), run=keeping.daily),
    Task("amendments", every=LOOK, run=amending.read_amendments),
    Task("reconciliation", every=LOOK, run=reconciling.compare_due_days),
)
