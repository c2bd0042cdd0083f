"""From pydantic's findings to sentences that name the field, what is wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mixhaul_source.errors import Problem
from mixhaul_source.model import MixSource

_KINDS: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "model_type": "a mapping of fields",
    "model_attributes_type": "a mapping of fields",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}


def problems_of(error: ValidationError, *, line_of: Callable[[tuple[str | int, ...]], int | None]) -> list[Problem]:
    """One problem a field, in the order of the file."""
    found = [
        Problem(_path(detail["loc"]), _sentence(detail), line_of(detail["loc"]))
        for detail in error.errors(include_url=False)
    ]
    return sorted(found, key=lambda problem: problem.line or 0)


def _path(location: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _sentence(detail: ErrorDetails) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "rule":
        return detail["msg"]
    if kind == "missing":
        return "is missing: add it"
    if kind == "extra_forbidden":
        return _unknown_field(detail["loc"])
    if kind in _KINDS:
        return f"{_shown(given)} is not {_KINDS[kind]}{_quote_hint(kind, given)}"
    if kind == "literal_error":
        return f"{_shown(given)} is unknown: use {context['expected']}"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        return f"{_shown(given)} is {'less' if 'ge' in context else 'more'} than {bound}, which is the limit"
    if kind in ("too_long", "string_too_long"):
        return f"is too long: at most {context['max_length']} are allowed"
    if kind == "string_too_short":
        return "is empty: give it a value"
    if kind == "string_pattern_mismatch":
        return (
            f"{_shown(given)} is not allowed here: use lower-case letters, digits, '-' and '.', "
            "as Kubernetes does for names"
        )
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _shown(given: object) -> str:
    if given is None:
        return "nothing (null)"
    if isinstance(given, Mapping):
        return "a mapping"
    if isinstance(given, list):
        return "a list"
    if isinstance(given, bool):
        return str(given).lower()
    text = repr(given)
    return text if len(text) <= 80 else text[:77] + "..."


def _quote_hint(kind: str, given: object) -> str:
    if kind == "string_type" and isinstance(given, int | float):
        return ": put it in quotes"
    if kind in ("int_type", "bool_type") and isinstance(given, str):
        return ": leave out the quotes" if given.lower().lstrip("-").isdecimal() or given in ("true", "false") else ""
    return ""


def _unknown_field(location: Sequence[str | int]) -> str:
    name = str(location[-1])
    known = _fields_at(location[:-1])
    lower = {field.lower(): field for field in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    if close:
        return f"is no field of a MixSource: did you mean {lower[close[0]]}?"
    return f"is no field of a MixSource: remove it (known here: {', '.join(known)})"


def _fields_at(location: Sequence[str | int]) -> list[str]:
    """The names that a mapping at this place may have."""
    model: Any = MixSource
    for part in location:
        field = next((f for n, f in model.model_fields.items() if (f.alias or n) == part), None)
        annotation = field.annotation if field is not None else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if model is None:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]
