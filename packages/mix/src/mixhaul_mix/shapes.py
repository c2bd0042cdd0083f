"""A struct together with the readers of its fields: how a JSON object becomes it, field by field.

`read` is for events, where a field of a wrong type rejects the record (its raw bytes are kept elsewhere). `read_row` is
for support data, where such a field costs only itself: it stays in `extra` as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from mixhaul_mix import lenient
from mixhaul_mix.errors import RecordRejected

# A name that no field of MiX has: `extra` is ours.
EXTRA_NAME = "\ufdd0extra"

Reader = Callable[[Any], Any]
T = TypeVar("T", bound=Struct)


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """JSON name -> (attribute, reader), and which of them must be there."""

    kind: type[T]
    fields: Mapping[str, tuple[str, Reader]]
    required: frozenset[str]


def shape(kind: type[T], readers: Mapping[str, Reader]) -> Shape[T]:
    """The shape of a struct whose JSON names are its own encoded names. Every field needs a reader."""
    fields: dict[str, tuple[str, Reader]] = {}
    required: set[str] = set()
    for spec in msgspec.structs.fields(kind):
        if spec.name in readers:
            fields[spec.encode_name] = (spec.name, readers[spec.name])
            if spec.required:
                required.add(spec.encode_name)
        elif spec.encode_name != EXTRA_NAME:
            raise TypeError(f"{kind.__name__}.{spec.name} has no reader")
    return Shape(kind, fields, frozenset(required))


def read(form: Shape[T], value: Any, *, at: str = "") -> tuple[T, dict[str, Any]]:
    """The struct (its own `extra` untouched) and the unknown fields. Raises RecordRejected with the field's name."""
    if not isinstance(value, dict):
        raise RecordRejected(f"{at or 'the record'} is no object")
    prefix = f"{at}." if at else ""
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, item in value.items():
        field = form.fields.get(name)
        try:
            if field is None:
                extra[lenient.to_text(name)] = lenient.to_json(item)
            elif item is not None:
                known[field[0]] = field[1](item)
        except lenient.Unreadable as error:
            # The name of an unknown field is MiX's text, not ours.
            where = "an unknown field" if field is None else f"{prefix}{name}"
            raise RecordRejected(f"{where} {error}") from None
    for name in form.required:
        if form.fields[name][0] not in known:
            raise RecordRejected(f"{prefix}{name} is missing")
    return form.kind(**known), extra


def read_row(form: Shape[T], value: Any) -> T:
    """The struct with `extra` filled. Raises RecordRejected where a required field is missing or unreadable."""
    if not isinstance(value, dict):
        raise RecordRejected("the row is no object")
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, item in value.items():
        field = form.fields.get(name)
        if field is None:
            extra[_clean(name)] = _clean(item)
        elif item is not None:
            try:
                known[field[0]] = field[1](item)
            except lenient.Unreadable as error:
                if name in form.required:
                    raise RecordRejected(f"{name} {error}") from None
                extra[name] = _clean(item)
    for name in form.required:
        if form.fields[name][0] not in known:
            raise RecordRejected(f"{name} is missing")
    if extra:
        known["extra"] = extra
    return form.kind(**known)


def row_text(value: Any) -> str:
    """A text of support data: NUL and lone surrogates become U+FFFD, numbers (a model year) become text."""
    if isinstance(value, str):
        return lenient.replace_unstorable(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise lenient.Unreadable("is no text")
    return str(value)


def _clean(value: Any, depth: int = 0) -> Any:
    """Any JSON value; what can't be stored is replaced: texts as in `row_text`, numbers out of range by their text, and
    what is nested too deeply by null."""
    if isinstance(value, str):
        return lenient.replace_unstorable(value)
    if isinstance(value, list | dict) and depth > lenient.MAX_NESTING:
        return None
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {lenient.replace_unstorable(key): _clean(item, depth + 1) for key, item in value.items()}
    try:
        return lenient.to_json(value)
    except lenient.Unreadable:
        return str(value)
