"""Which jobs and tasks the leader has: one line each."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from mixhaul_ingestor import care, sync
from mixhaul_ingestor.jobs import Kind, Task

KINDS: Final = (Kind("sync", sync.on_request),)

TASKS: Final = (Task("partitions", every=timedelta(hours=24), run=care.partitions),)
