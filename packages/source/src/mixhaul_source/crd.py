"""The CustomResourceDefinition, made from the model.

`python -m mixhaul_source.crd` prints it; `make generate` writes it to `crds/`. A structural schema: references
resolved, no titles, no `additionalProperties` beside `properties`, defaults where the model has them, and CEL for the
rest. It does not guarantee that unknown fields are refused: the API server prunes them, unless the client asks for
strict validation as kubectl does.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import yaml
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from mixhaul_source.model import GROUP, KIND, VERSION, MixSourceSpec, Part
from mixhaul_source.status import MixSourceStatus

PLURAL: Final = "mixsources"
FILE_NAME: Final = f"{GROUP}_{PLURAL}.yaml"

_HEADER: Final = "# Generated from packages/source by `make generate`. Do not edit.\n"
_COLUMNS: Final[list[dict[str, Any]]] = [
    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "Reason", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].reason'},
    # Shown by kubectl as an age, which is the lag.
    {"name": "Lag", "type": "date", "jsonPath": ".status.stream.cursorTime"},
    {"name": "Schedule", "type": "string", "jsonPath": ".spec.sync.schedule"},
    {"name": "Last sync", "type": "date", "jsonPath": ".status.sync.lastSuccessTime"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "Suspended", "type": "boolean", "jsonPath": ".spec.suspend", "priority": 1},
    {
        "name": "Message",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
        "priority": 1,
    },
]
_KEPT: Final = frozenset(
    {
        *("type", "description", "enum", "format", "pattern", "default", "required"),
        *("minimum", "maximum", "minLength", "maxLength", "maxItems"),
        *("x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    }
)


def crd() -> dict[str, Any]:
    """The whole object."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["mixsrc"],
                "categories": ["mixhaul"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _COLUMNS,
                    "schema": {"openAPIV3Schema": open_api_schema()},
                }
            ],
        },
    }


def open_api_schema() -> dict[str, Any]:
    """The schema of one MixSource."""
    spec = _structural(MixSourceSpec)
    status = _structural(MixSourceStatus)
    return {
        "description": "A MixSource is one MiX Telematics login whose organisations are hauled into PostgreSQL.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": "mixhaul.io/v1alpha1.", "type": "string"},
            "kind": {"description": "MixSource.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": {**spec, "description": "What is wanted."},
            # The default of observedGeneration takes effect only where there is a status.
            "status": {
                **status,
                "description": "What is; the operator writes it.",
                "default": {"observedGeneration": -1},
            },
        },
    }


def render() -> str:
    """The file as it is committed."""
    return _HEADER + yaml.dump(crd(), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def _structural(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation", schema_generator=GenerateJsonSchema)
    models = {each.__name__: each for each in _models_below(model)}
    return _convert(schema, schema.get("$defs", {}), models)


def _models_below(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    for field in model.model_fields.values():
        annotation = field.annotation
        for candidate in (annotation, *getattr(annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                found |= _models_below(candidate)
    return found


def _convert(schema: dict[str, Any], definitions: dict[str, Any], models: dict[str, type[BaseModel]]) -> dict[str, Any]:
    """One level: reference and optional unfolded, foreign keywords dropped, the model's CEL rules added."""
    schema = _unfolded(schema, definitions)
    result = {key: value for key, value in schema.items() if key in _KEPT}
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if schema.get("type") == "array":
        result["items"] = _convert(schema["items"], definitions, models)
    if "properties" in schema:
        result["properties"] = {
            name: _defaulted(_convert(value, definitions, models), required=name in schema.get("required", ()))
            for name, value in schema["properties"].items()
        }
        model = models.get(schema.get("title", ""))
        if model is not None and issubclass(model, Part) and model.cel:
            result["x-kubernetes-validations"] = [rule.as_validation() for rule in model.cel]
    return result


def _defaulted(schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """An optional object gets an empty default, without which those of its fields would not take effect."""
    fields = schema.get("properties", {})
    if required or schema.get("required") or not any("default" in each for each in fields.values()):
        return schema
    return {**schema, "default": {}}


def _unfolded(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Without `$ref` and without the null of an optional field; its own description and default win."""
    own = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf", "allOf")}
    if own.get("default", "") is None:
        del own["default"]
    if "$ref" in schema:
        own.pop("title", None)
        return {**definitions[schema["$ref"].rpartition("/")[2]], **own}
    if "anyOf" in schema:
        own.pop("title", None)
        (only,) = (each for each in schema["anyOf"] if each.get("type") != "null")
        return {**_unfolded(only, definitions), **own}
    return own


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as yamllint wants, and writes the same value twice rather than an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


if __name__ == "__main__":
    sys.stdout.write(render())
