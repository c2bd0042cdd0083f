"""The tables of `docs/mixsource.md`, put between markers: fields from the CRD's schema, conditions from the model.

`<!-- fields spec.endpoint -->` takes the fields of that part, one level; `<!-- condition Ready -->` the reasons of that
condition. Everything else of the page is written by hand. A part or condition without a table fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mixhaul_source import crd
from mixhaul_source.advice import ADVICE
from mixhaul_source.conditions import CONDITIONS, ConditionType

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "mixsource.md"
_MARKED: Final = re.compile(r"<!-- (?P<kind>fields|condition) (?P<of>[\w.]+) -->\n.*?<!-- /(?P=kind) -->\n", re.DOTALL)

Schema = dict[str, Any]


def render() -> str:
    """The page as it is, with its tables made anew."""
    text = PAGE.read_text(encoding="utf-8")
    found = {(match["kind"], match["of"]) for match in _MARKED.finditer(text)}
    if absent := sorted(f"{kind} {of}" for kind, of in _wanted() - found):
        raise LookupError(f"docs/mixsource.md has no table for {', '.join(absent)}")
    return _MARKED.sub(_table, text)


def _wanted() -> set[tuple[str, str]]:
    parts = {("fields", path) for part in ("spec", "status") for path, _ in _parts(_schema(part), part)}
    return parts | {("condition", str(kind)) for kind in ConditionType}


def _schema(path: str) -> Schema:
    found: Schema = crd.open_api_schema()
    for name in path.split("."):
        found = found.get("items", found)["properties"][name]
    return found


def _parts(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Those with fields of their own."""
    schema = schema.get("items", schema)
    if "properties" in schema:
        yield path, schema
        for name, each in schema["properties"].items():
            yield from _parts(each, f"{path}.{name}")


def _table(match: re.Match[str]) -> str:
    kind, of = match["kind"], match["of"]
    lines = _fields(_schema(of)) if kind == "fields" else _reasons(ConditionType(of))
    return f"<!-- {kind} {of} -->\n\n" + "\n".join(lines) + f"\n\n<!-- /{kind} -->\n"


def _fields(schema: Schema) -> list[str]:
    schema = schema.get("items", schema)
    required = schema.get("required", ())
    rows = [
        f"| `{name}` | {_kind(each)} | {'required' if name in required else _default(each)} | {_escaped(_text(each))} |"
        for name, each in schema["properties"].items()
    ]
    return ["| field | type | default | meaning |", "|---|---|---|---|", *rows]


def _kind(schema: Schema) -> str:
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}s"
    bounds = [f"{schema[key]}" for key in ("minimum", "maximum") if key in schema]
    if len(bounds) == 2:
        return f"{schema['type']}, {bounds[0]} to {bounds[1]}"
    return str(schema["type"]) + (f", at least {bounds[0]}" if bounds else "")


def _default(schema: Schema) -> str:
    value = schema.get("default")
    return "" if value in (None, {}, []) else f"`{json.dumps(value)}`"


def _text(schema: Schema) -> str:
    choice = schema.get("enum")
    return str(schema["description"]) + (f" One of {', '.join(f'`{each}`' for each in choice)}." if choice else "")


def _reasons(kind: ConditionType) -> list[str]:
    described = CONDITIONS[kind]
    rows = [
        f"| `{reason}` | {meaning.status} | {_escaped(meaning.text)} | {_escaped(ADVICE[reason])} |"
        for reason, meaning in described.reasons.items()
    ]
    return [described.text, "", "| reason | status | what it means | what to do |", "|---|---|---|---|", *rows]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
