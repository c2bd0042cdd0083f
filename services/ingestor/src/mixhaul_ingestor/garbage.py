"""Python's collector of cycles, set for a process that makes thousands of tuples a page and hardly a cycle.

As it comes it looks through all of them again and again, and through every module each few pages: a tenth of the CPU.
"""

from __future__ import annotations

import gc

YOUNG = 50_000
MIDDLE = 10
OLD = 20


def collect_seldom() -> None:
    """Once everything is imported: leave out what stays for ever, and look at the rest after several pages' worth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
