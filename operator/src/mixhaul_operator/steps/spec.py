"""The spec as values. The CRD refuses most of what is wrong; what it can't see, or was stored before, ends here."""

from __future__ import annotations

from pydantic import ValidationError

from mixhaul_operator.conditions.finding import Blocker
from mixhaul_operator.steps.run import Run, Tools
from mixhaul_source.conditions import Reason
from mixhaul_source.model import MixSourceSpec
from mixhaul_source.validation import problems_of


async def read_spec(tools: Tools, run: Run) -> None:
    """Once for each generation."""
    memory = tools.memory(run.name)
    version = (run.uid, run.generation)
    if memory.spec is None or memory.spec[0] != version:
        memory.spec = (version, _read(run.source.get("spec")))
    found = memory.spec[1]
    if isinstance(found, Blocker):
        run.blocker = found
    else:
        run.spec = found


def _read(spec: object) -> MixSourceSpec | Blocker:
    try:
        return MixSourceSpec.model_validate(spec)
    except ValidationError as error:
        problems = problems_of(error, line_of=lambda _path: None)
        return Blocker(Reason.INVALID_SPEC, "; ".join(f"spec.{problem}" for problem in problems))
