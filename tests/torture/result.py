"""What a run of one seed did, as a value that can be written, read and added up."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Result:
    """Counts of one run. `problems` are sentences; a run without them is good."""

    seed: int
    profile: str
    commit: str = ""
    began: str = ""
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    signals: Counter[str] = field(default_factory=Counter)
    disturbances: Counter[str] = field(default_factory=Counter)
    processes: Counter[str] = field(default_factory=Counter)
    quiet_points: int = 0
    epochs: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        """SIGKILLs that ended something that lived."""
        return sum(self.kills.values())

    def write(self, file: Path) -> None:
        draft = file.with_suffix(".part")
        draft.write_text(json.dumps(vars(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(file)


def read(file: Path) -> Result:
    """What `write` wrote."""
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for name, value in values.items():
        if isinstance(value, dict):
            values[name] = Counter(value)
    return Result(**values)
