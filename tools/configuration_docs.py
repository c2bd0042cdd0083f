"""`docs/configuration.md`, made from the settings models of the programs."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mixhaul_runtime.settings import MixhaulSettings, is_secret, variable_of

PROGRAMS: Final = {
    "mixhaul-ingestor": "mixhaul_ingestor.settings",
    "mixhaul-api": "mixhaul_api.settings",
}

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
    fields: dict[str, tuple[FieldInfo, list[str]]] = {}
    for program, module in PROGRAMS.items():
        for name, info in _fields_of(module).items():
            fields.setdefault(name, (info, []))[1].append(program)
    rows = [_row(name, info, programs) for name, (info, programs) in sorted(fields.items())]
    return _HEAD + "".join(rows)


def _fields_of(module: str) -> dict[str, FieldInfo]:
    """The fields of all settings models that a program's module defines."""
    found: dict[str, FieldInfo] = {}
    for candidate in vars(importlib.import_module(module)).values():
        if isinstance(candidate, type) and issubclass(candidate, MixhaulSettings) and candidate.__module__ == module:
            found |= candidate.model_fields
    if not found:
        raise LookupError(f"{module} defines no settings model")
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
