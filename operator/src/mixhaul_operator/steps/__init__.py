"""Reconciliation as an ordered list of small steps over one gathered input."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from mixhaul_operator.steps.cron_job import keep_cron_job
from mixhaul_operator.steps.deletion import keep_finalizer
from mixhaul_operator.steps.request import take_request
from mixhaul_operator.steps.run import Run, Tools
from mixhaul_operator.steps.secret import look_at_secret
from mixhaul_operator.steps.spec import read_spec
from mixhaul_operator.steps.status import write_status

__all__ = ["STEPS", "Run", "Tools"]

Step = Callable[[Tools, Run], Awaitable[None]]

STEPS: Final[tuple[Step, ...]] = (
    read_spec,
    keep_finalizer,
    look_at_secret,
    keep_cron_job,
    take_request,
    write_status,
)
