"""The OpenAPI 3.1 document, written from the routes, their models and their shapes.

It describes the API proper: neither itself nor the page that shows it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from mixhaul_api.problems import CONTENT_TYPE, TOO_MANY_REQUESTS, UNAUTHENTICATED, UNAVAILABLE, Kind, ProblemDocument
from mixhaul_api.routes import ROUTES, Route
from mixhaul_runtime.metrics import package_version

_TEMPLATE: Final = "#/components/schemas/{model}"
_BEARER: Final = "bearer"
_DESCRIPTION: Final = """\
A fleet's drivers and what they did, from the fleet's own database.

* **Ids** are signed 64-bit numbers and always strings: as JSON numbers a browser would round them.
* **Organisations.** A token says which organisations its bearer may see. Everything else does not exist for it.
* **Lists** come in pages: send `nextCursor` as `cursor`, with all other parameters as they were. New data never
  shifts a page.
* **Freshness.** Each list says as of when it is, for each organisation, and which gaps are open.
* **Personal data** (employee number, mobile number, e-mail, driver's identification, picture) is there for the roles
  `analyst`, `auditor` and `admin`, and absent for `reader`. Changes need `admin`.
* **Errors** are problem documents (RFC 9457); `type` names the kind, `errors` every parameter that is wrong.
"""
_REQUEST_ID: Final = {
    "description": "The request's id: yours, if you sent one of 1 to 128 letters, digits or `._-`, or a new one.",
    "schema": {"type": "string"},
}

_HEADERS: Final = {
    "ETag": {
        "description": "Names this answer: send it as `If-None-Match`, and a 304 says that it is still right. Absent "
        "where that can't be told now.",
        "required": False,
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "How many requests (`q`) a caller may make in so many seconds (`w`); absent without a limit.",
        "required": False,
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "How many are left (`r`), and in how many seconds (`t`) all of them will be there again.",
        "required": False,
        "schema": {"type": "string"},
    },
}
_LIMITS: Final = {name: {"$ref": f"#/components/headers/{name}"} for name in ("RateLimit-Policy", "RateLimit")}


def document() -> dict[str, Any]:
    """The whole document."""
    schemas, references = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mixhaul",
            "version": package_version(),
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{_BEARER: []}],
        "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in ROUTES)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": {"X-Request-ID": _REQUEST_ID} | _HEADERS,
            "securitySchemes": {
                _BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Claims: `sub`, `exp`, `iss`, `aud`, `organisations` (ids as strings), `roles`.",
                }
            },
        },
    }


def _schemas() -> tuple[dict[str, Any], dict[Any, dict[str, Any]]]:
    """Every schema of a body or an answer, and the reference to each type's."""
    types: list[Any] = [route.answer for route in ROUTES] + [route.body for route in ROUTES if route.has_body]
    types.append(ProblemDocument)
    inputs: list[tuple[Any, JsonSchemaMode, TypeAdapter[Any]]] = [
        (one, "validation", TypeAdapter(one)) for one in dict.fromkeys(types)
    ]
    references, definitions = TypeAdapter.json_schemas(inputs, ref_template=_TEMPLATE)
    return _tidied(definitions["$defs"]), {one: references[(one, "validation")] for one, _, _ in inputs}


def _operation(route: Route[Any, Any], references: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": route.summary,
        "description": route.description,
        "parameters": _parameters(route.parameters, route.path),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _headers(route),
                "content": {"application/json": {"schema": references[route.answer], "example": route.example}}
                | {
                    media_type: {"schema": {"type": "string"}, "example": example}
                    for media_type, example in route.media.items()
                },
            }
        }
        | _unchanged(route)
        | _problems(route, references[ProblemDocument]),
    }
    if route.has_body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": references[route.body], "example": route.body_example}},
        }
    return operation


def _headers(route: Route[Any, Any]) -> dict[str, Any]:
    tagged = {"ETag": {"$ref": "#/components/headers/ETag"}} if route.watermarked else {}
    return {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}} | tagged | _LIMITS


def _unchanged(route: Route[Any, Any]) -> dict[str, Any]:
    if not route.watermarked:
        return {}
    description = "What the tag in `If-None-Match` names is still right: nothing was read, and there is no body."
    return {"304": {"description": description, "headers": _headers(route)}}


def _parameters(model: type[BaseModel], path: str) -> list[dict[str, Any]]:
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    found = []
    for name, described in schema.get("properties", {}).items():
        described = _without_null(_tidied(described))
        in_path = "{" + name + "}" in path
        parameter: dict[str, Any] = {"name": name, "in": "path" if in_path else "query", "required": name in required}
        description = described.pop("description", None)
        if description:
            parameter["description"] = description
        if described.get("type") == "array":
            described.pop("default", None)
            parameter |= {"style": "form", "explode": True}
        found.append(parameter | {"schema": described})
    return found


def _problems(route: Route[Any, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    by_status: dict[HTTPStatus, list[Kind]] = {}
    for kind in route.problems:
        by_status.setdefault(kind.status, []).append(kind)
    return {
        str(status.value): _problem(kinds, route, reference)
        for status, kinds in sorted(by_status.items(), key=lambda item: item[0].value)
    }


def _problem(kinds: Iterable[Kind], route: Route[Any, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    kinds = list(kinds)
    headers: dict[str, Any] = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}} | _LIMITS
    if UNAUTHENTICATED in kinds:
        headers["WWW-Authenticate"] = {
            "description": "Says what is wrong with the token.",
            "schema": {"type": "string"},
        }
    if UNAVAILABLE in kinds or TOO_MANY_REQUESTS in kinds:
        headers["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
    return {
        "description": "; ".join(kind.title for kind in kinds) + ".",
        "headers": headers,
        "content": {
            CONTENT_TYPE: {
                "schema": reference,
                "examples": {
                    kind.name: {
                        "value": {
                            "type": kind.uri,
                            "title": kind.title,
                            "status": kind.status.value,
                            "detail": f"{kind.title}: what happened this time, and what to do.",
                            "instance": route.path,
                            "requestId": "0f9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d",
                        }
                    }
                    for kind in kinds
                },
            }
        },
    }


def _tidied(schema: Any) -> Any:
    """Without the titles that pydantic makes of names, and without null as the default of what may be left out."""
    if isinstance(schema, list):
        return [_tidied(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _tidied(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out is not one that may be null."""
    schema = copy.deepcopy(schema)
    choices = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    if len(choices) == 1:
        del schema["anyOf"]
        schema = cast("dict[str, Any]", choices[0]) | schema
    elif choices:
        schema["anyOf"] = choices
    return schema
