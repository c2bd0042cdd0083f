"""Whether a mutant was killed as it should be: by an assertion, in the test that is named, and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def is_assertion(entry: dict[str, Any]) -> bool:
    """An `assert` that failed, or `pytest.raises` that met nothing; not a time-out, which pytest reports alike."""
    if "AssertionError" in entry["kinds"]:
        return True
    return "Failed" in entry["kinds"] and str(entry["text"]).startswith("DID NOT RAISE")


def judge(report: Sequence[dict[str, Any]], *, test: str) -> str | None:
    """None where the mutant is dead; otherwise what is wrong about how it went."""
    if not report:
        return "nothing was run"
    failed = [entry for entry in report if entry["outcome"] == "failed"]
    if not failed:
        return "SURVIVED"
    for entry in failed:
        if entry["test"] != test or entry["phase"] != "call":
            return f"failed in {entry['phase']} of {entry['test']}"
    if not any(is_assertion(entry) for entry in failed):
        return f"no assertion, but {failed[0]['kinds'][:1]}: {failed[0]['text']}"
    return None
