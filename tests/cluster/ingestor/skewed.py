"""The ingestor on a machine whose wall clock is wrong by SKEW_SECONDS; everything else is the product's own."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from mixhaul_ingestor.cli import main
from mixhaul_runtime.clock import SystemClock

if skew := float(os.environ.get("SKEW_SECONDS", "0")):
    SystemClock.now = lambda _: datetime.now(UTC) + timedelta(seconds=skew)  # type: ignore[method-assign,assignment]

main()
