"""`docs/configuration.md`, made from the settings models of the programs."""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mixhaul_runtime.settings import MixhaulSettings, is_secret, variable_of

MODULES: Final = tuple(
    f"{package}.settings"
    for package in ("mixhaul_ingestor", "mixhaul_api", "mixhaul_operator")
    if importlib.util.find_spec(package) is not None
)

_HEAD: Final = """\
<!-- Generated from the settings models by `make generate`. Do not edit. -->

# Configuration

Every program is configured by environment variables, and `mixhaul-ingestor` by a manifest of MixSources as well.
An empty variable counts as absent. A value that can't be used ends the program with a sentence that names
the variable.

A **secret** one may come from a file instead: name the file in the variable with `_FILE` at its end. One line break at
the file's end is no part of the secret. Set one of the two, not both.

| variable | default | read by | meaning |
|---|---|---|---|
"""


def render() -> str:
    """The whole page."""
    fields: dict[str, tuple[FieldInfo, set[str]]] = {}
    for model in (model for module in MODULES for model in _models_of(module)):
        for name, info in model.model_fields.items():
            fields.setdefault(name, (info, set()))[1].update(model.for_programs)
    return _HEAD + "".join(_row(name, info, sorted(programs)) for name, (info, programs) in sorted(fields.items()))


def _models_of(module: str) -> list[type[MixhaulSettings]]:
    """The settings models that a program's module defines itself."""
    found = [
        candidate
        for candidate in vars(importlib.import_module(module)).values()
        if isinstance(candidate, type) and issubclass(candidate, MixhaulSettings) and candidate.__module__ == module
    ]
    if not found or not all(model.for_programs for model in found):
        raise LookupError(f"{module} must define settings models, each with for_programs")
    return found


def _row(name: str, info: FieldInfo, programs: list[str]) -> str:
    if not info.description:
        raise LookupError(f"the setting {name} has no description")
    variable = variable_of(name)
    shown = f"`{variable}`" + (f"<br>`{variable}_FILE`" if is_secret(info) else "")
    meaning = ("**Secret.** " if is_secret(info) else "") + " ".join(info.description.split())
    readers = ", ".join(f"`{program}`" for program in programs)
    return f"| {shown} | {_default(info)} | {readers} | {meaning.replace('|', chr(92) + '|')} |\n"


def _default(info: FieldInfo) -> str:
    value: Any = info.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "-"
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):
        return f"`{value}`" if value else "-"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{json.dumps(value, default=str)}`"
