"""A deliberate bug: what is replaced where, and the one test whose assertion must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MIX = "packages/mix/src/mixhaul_mix"
RUNTIME = "packages/runtime/src/mixhaul_runtime"
STORE = "packages/store/src/mixhaul_store"
INGESTOR = "services/ingestor/src/mixhaul_ingestor"


class Stale(Exception):
    """A mutant whose old text is not in its file exactly once: the code has changed, and the mutant has to follow."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in a file."""

    file: str
    old: str
    new: str

    def apply(self, tree: Path) -> None:
        """Change the copy."""
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise Stale(f"{self.file} holds {text.count(self.old)} times:\n{self.old}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Mutant:
    """`test` is a node id without parameters: of a parametrised test any case may be the one that fails."""

    name: str
    test: str
    edits: tuple[Edit, ...]


def mutant(name: str, test: str, file: str, old: str, new: str) -> Mutant:
    """One with a single replacement."""
    return Mutant(name, test, (Edit(file, old, new),))
