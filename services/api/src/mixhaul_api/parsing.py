"""From the parts of an HTTP request to the models of `parameters`; a `Problem` that names each thing that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar, get_origin
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mixhaul_api.problems import (
    BAD_REQUEST,
    INVALID_BODY,
    INVALID_PARAMETERS,
    UNSUPPORTED_MEDIA_TYPE,
    FieldError,
    Kind,
    Problem,
)

M = TypeVar("M", bound=BaseModel)

_MOST_PARAMETERS: Final = 100
_SENTENCES: Final = {
    "missing": "is missing",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
}


def parameters(model: type[M], *, path: Mapping[str, str], query: str) -> M:
    """The parameters of a request; those of the path by their names in the template."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise Problem(
            BAD_REQUEST, f"The query is not UTF-8 in percent-encoding, or has more than {_MOST_PARAMETERS} parameters."
        ) from error
    several = {field.alias for field in model.model_fields.values() if get_origin(field.annotation) is list}
    values: dict[str, Any] = dict(path)
    for name, value in pairs:
        if name in path:
            raise _wrong([_error("query", name, "belongs into the path")], INVALID_PARAMETERS)
        if name in several:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise _wrong([_error("query", name, "is given twice")], INVALID_PARAMETERS)
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        known = ", ".join(known_names(model, path))
        unknown = f"is not known here; known are: {known}" if known else "is not known here: there are none"
        found = [
            _error("path" if name in path else "query", name, unknown if kind == "extra_forbidden" else message)
            for name, kind, message in map(_described, _details(error))
        ]
        raise _wrong(found, INVALID_PARAMETERS) from error


def body(model: type[M], *, content_type: str | None, raw: bytes) -> M:
    """The JSON body of a request."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(UNSUPPORTED_MEDIA_TYPE, "The body must be JSON, with Content-Type: application/json.")
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(INVALID_BODY, f"The body is no JSON: line {error.lineno}, column {error.colno}.") from error
    if not isinstance(found, dict):
        raise Problem(INVALID_BODY, "The body must be a JSON object.")
    try:
        return model.model_validate(found)
    except ValidationError as error:
        known = ", ".join(known_names(model, {}))
        raise _wrong(
            [
                _error("body", name, f"is not known here; known are: {known}" if kind == "extra_forbidden" else message)
                for name, kind, message in map(_described, _details(error))
            ],
            INVALID_BODY,
        ) from error


def known_names(model: type[BaseModel], path: Mapping[str, str]) -> list[str]:
    """The names that a request may use, apart from those of the path."""
    names = (field.alias or name for name, field in model.model_fields.items())
    return [name for name in names if name not in path]


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _described(detail: ErrorDetails) -> tuple[str, str, str]:
    """Name, kind and sentence; never pydantic's own words where we have better ones, never the value."""
    name = str(detail["loc"][0]) if detail["loc"] else ""
    kind = detail["type"]
    message = _SENTENCES.get(kind) or detail["msg"].removeprefix("Value error, ")
    return name, kind, message[:1].lower() + message[1:]


def _error(location: str, name: str, message: str) -> FieldError:
    return FieldError(location=location, name=name[:100], message=message)


def _wrong(errors: list[FieldError], kind: Kind) -> Problem:
    listed = "; ".join(f"{one['name']} {one['message']}" for one in errors[:5])
    return Problem(kind, f"{listed}.", errors=errors)
