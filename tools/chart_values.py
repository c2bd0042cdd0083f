"""The chart's `values.schema.json` and the table in its README, made from the comments of its `values.yaml`.

A comment above a key is its description; a line `@schema {...}` in it adds to the JSON schema what the default can't
say. Every key has a description and a shape, or this fails. The spec of `sources` comes from the MixSource's own model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from mixhaul_source import crd

CHART: Final = Path(__file__).resolve().parent.parent / "charts" / "mixhaul"
BEGIN: Final = "<!-- values: generated from values.yaml by `make generate` -->\n"
END: Final = "<!-- /values -->\n"

Path_ = tuple[str, ...]
Schema = dict[str, Any]

_STRINGS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
_QUANTITIES: Final[Schema] = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
_ANY: Final[Schema] = {"type": "object"}


def _closed(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_NAME: Final[Schema] = {"type": "string", "minLength": 1}
_DEFINITIONS: Final[dict[str, Schema]] = {
    "strings": _STRINGS,
    "resources": _closed({"requests": _QUANTITIES, "limits": _QUANTITIES, "claims": _list(_ANY)}),
    "affinity": _closed(dict.fromkeys(("nodeAffinity", "podAffinity", "podAntiAffinity"), _ANY)),
    "tolerations": _list(
        _closed(
            {
                "key": {"type": "string"},
                "operator": {"type": "string"},
                "value": {"type": "string"},
                "effect": {"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
                "tolerationSeconds": {"type": "integer"},
            }
        )
    ),
    "topologySpreadConstraints": _list(_ANY),
    "extraEnv": _list(_closed({"name": _NAME, "value": {"type": "string"}, "valueFrom": _ANY}, ("name",))),
    "imagePullSecrets": _list(_closed({"name": _NAME}, ("name",))),
    "peers": _list(
        {**_closed(dict.fromkeys(("ipBlock", "namespaceSelector", "podSelector"), _ANY)), "minProperties": 1}
    ),
    "ports": _list({"type": "integer", "minimum": 1, "maximum": 65535}),
}
# Keys of these names have these shapes wherever they are.
_SHAPES: Final[dict[str, str]] = {
    **{name: name for name in _DEFINITIONS},
    **dict.fromkeys(
        ("nodeSelector", "podLabels", "podAnnotations", "annotations", "labels", "commonLabels"), "strings"
    ),
    **dict.fromkeys(("from", "to"), "peers"),
    "sources": "sources",
}
_TYPES: Final = {float: "number", bool: "boolean", int: "integer", str: "string", list: "array"}
_KEY: Final = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]\w*):")


@dataclass(frozen=True, slots=True)
class Comment:
    """What stands above a key."""

    text: str
    schema: Schema


def crd_copy() -> str:
    """The chart's own copy of the CRD."""
    return crd.render()


def schema() -> str:
    """The whole of `values.schema.json`."""
    values, comments = _read()
    found = _object(values, (), comments)
    found["properties"]["global"] = {**_ANY, "description": "Helm's own, where this is a chart's subchart."}
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Generated from values.yaml by `make generate`. Do not edit.",
        **found,
        "definitions": {**_DEFINITIONS, "sources": _sources()},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def readme() -> str:
    """The README as it is, with the table put in between its markers."""
    text = (CHART / "README.md").read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise LookupError(f"the chart's README must have the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def table() -> str:
    """One row a value."""
    values, comments = _read()
    rows = ["| value | default | meaning |", "|---|---|---|"]
    rows += [_row(path, value, comments[path].text) for path, value in _leaves(values, ())]
    return "\n".join(rows) + "\n"


def _read() -> tuple[dict[str, Any], dict[Path_, Comment]]:
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    comments = _comments(text)
    paths = {path for path, _ in _leaves(values, ())}
    silent = sorted(".".join(path) for path in paths - set(comments))
    if silent:
        raise LookupError(f"values.yaml has no comment above {', '.join(silent)}")
    return values, comments


def _comments(text: str) -> dict[Path_, Comment]:
    found: dict[Path_, Comment] = {}
    stack: list[tuple[int, str]] = []
    lines: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            lines.append(line.lstrip().removeprefix("#").strip())
            continue
        match = _KEY.match(line)
        if match is not None:
            indent = len(match["indent"])
            stack = [*(each for each in stack if each[0] < indent), (indent, match["key"])]
            if lines:
                found[tuple(key for _, key in stack)] = _comment(lines)
        lines = []
    return found


def _comment(lines: list[str]) -> Comment:
    schema: Schema = {}
    for line in lines:
        if line.startswith("@schema "):
            schema.update(yaml.safe_load(line.removeprefix("@schema ")))
    return Comment(" ".join(line for line in lines if not line.startswith("@schema ")), schema)


def _leaves(values: dict[str, Any], path: Path_) -> Iterator[tuple[Path_, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and key not in _SHAPES:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _object(values: dict[str, Any], path: Path_, comments: dict[Path_, Comment]) -> Schema:
    return _closed({key: _property(value, (*path, key), comments) for key, value in values.items()})


def _property(value: Any, path: Path_, comments: dict[Path_, Comment]) -> Schema:
    name = path[-1]
    if name in _SHAPES:
        return {"description": comments[path].text, "$ref": f"#/definitions/{_SHAPES[name]}"}
    if isinstance(value, dict):
        return _object(value, path, comments)
    comment = comments[path]
    if isinstance(value, list) and "items" not in comment.schema:
        raise LookupError(f"values.yaml must say `@schema {{items: ...}}` above {'.'.join(path)}")
    if "enum" in comment.schema:
        return {"description": comment.text, **comment.schema}
    return {"description": comment.text, "type": _TYPES[type(value)], **comment.schema}


def _sources() -> Schema:
    spec = _json_schema(crd.open_api_schema()["properties"]["spec"])
    name = {**_NAME, "maxLength": 253, "pattern": "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"}
    properties = {"name": name, "labels": _STRINGS, "annotations": _STRINGS, "spec": spec}
    return _list(_closed(properties, ("name", "spec")))


def _json_schema(part: Any) -> Any:
    """A structural schema as JSON schema has it: closed, and without what only the API server knows."""
    if isinstance(part, list):
        return [_json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if not key.startswith("x-kubernetes-") and key != "default"}
    if isinstance(kept.get("properties"), dict):
        kept["properties"] = {key: _json_schema(value) for key, value in kept["properties"].items()}
        kept["additionalProperties"] = False
        rest = {key: value for key, value in kept.items() if key != "properties"}
        return {**{key: _json_schema(value) for key, value in rest.items()}, "properties": kept["properties"]}
    return {key: _json_schema(value) for key, value in kept.items()}


def _row(path: Path_, value: Any, text: str) -> str:
    shown = json.dumps(value, ensure_ascii=False) if value != "" else '""'
    meaning = text.replace("|", "\\|")
    return f"| `{'.'.join(path)}` | `{shown}` | {meaning} |"
