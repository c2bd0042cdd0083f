"""Named points of the haul that a fault test can aim at.

In production the hook does nothing. A test program replaces `hook` before it starts the ingestor and kills or stops
the process there; nothing in the product sets it, and no setting or environment variable does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Checkpoint = Literal[
    "permit_taken",
    "request_sent",
    "answer_read",
    "keys_copied",
    "rows_copied",
    "before_commit",
    "after_commit",
    "token_intent",
    "token_received",
]


def _nothing(name: Checkpoint) -> None:
    """What every process outside of the fault tests does."""


hook: Callable[[Checkpoint], None] = _nothing


def reached(name: Checkpoint) -> None:
    """Tell the hook that the process is at this point."""
    hook(name)
