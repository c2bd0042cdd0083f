"""The kinds of values that parameters have, and what many routes take."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from mixhaul_api import cursors, ids, periods
from mixhaul_api.auth.callers import ORGANISATION_PATTERN, is_organisation
from mixhaul_api.csv_forms import CsvForm

MOST_ITEMS: Final = 200
SEVERITIES: Final = ("none", "low", "medium", "high")
USUAL_ITEMS: Final = 50
_TEXT_PATTERN: Final = r"^[^\u0000]+$"
_COUNT: Final = re.compile(r"[0-9]{1,9}")


def _limit(text: object) -> int:
    if isinstance(text, int):
        return text
    if not isinstance(text, str) or not _COUNT.fullmatch(text) or not 1 <= int(text) <= MOST_ITEMS:
        raise ValueError(f"must be a whole number from 1 to {MOST_ITEMS}")
    return int(text)


def _truth(text: object) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def _text(longest: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not 1 <= len(text) <= longest:
            raise ValueError(f"must have from 1 to {longest} characters")
        if "\0" in text:
            raise ValueError("must not hold the character NUL")
        return text

    return check


def _severity(text: object) -> object:
    if text not in SEVERITIES:
        raise ValueError(f"must be one of {', '.join(SEVERITIES)}")
    return text


def _csv_form(text: object) -> CsvForm:
    try:
        return CsvForm(str(text))
    except ValueError as error:
        raise ValueError(f"must be {' or '.join(CsvForm)}") from error


def _organisation(text: str) -> str:
    if not is_organisation(text):
        raise ValueError("must be an organisationId as the answers show it")
    return text


def _parsed(parse: Callable[[str], Any]) -> BeforeValidator:
    def check(value: object) -> object:
        return parse(value) if isinstance(value, str) else value

    return BeforeValidator(check)


Id = Annotated[
    int,
    _parsed(ids.parse_id),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": ids.PATTERN,
            "maxLength": 20,
            "description": "A signed 64-bit number in decimal digits.",
            "examples": ["-5126071423112345678"],
        }
    ),
]
OrganisationId = Annotated[
    str,
    AfterValidator(_organisation),
    WithJsonSchema({"type": "string", "pattern": ORGANISATION_PATTERN, "examples": ["6243816725049817314"]}),
]
Limit = Annotated[
    int,
    BeforeValidator(_limit),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": USUAL_ITEMS}),
]
Cursor = Annotated[
    str,
    AfterValidator(_text(cursors.LONGEST)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": cursors.LONGEST}),
]
Flag = Annotated[bool, BeforeValidator(_truth), WithJsonSchema({"type": "boolean"})]
Moment = Annotated[
    periods.Moment,
    _parsed(periods.parse_moment),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}],
            "examples": ["2026-11-01", "2026-11-24T08:00:00-03:00"],
        }
    ),
]
Zone = Annotated[
    str,
    AfterValidator(lambda text: periods.parse_zone(text).key),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[A-Za-z][A-Za-z0-9_+/-]{0,63}$",
            "examples": ["America/Sao_Paulo"],
        }
    ),
]
Severity = Annotated[
    Literal["none", "low", "medium", "high"],
    BeforeValidator(_severity),
    WithJsonSchema({"type": "string", "enum": list(SEVERITIES)}),
]
CsvChoice = Annotated[
    CsvForm,
    BeforeValidator(_csv_form),
    WithJsonSchema({"type": "string", "enum": [one.value for one in CsvForm], "default": CsvForm.PLAIN.value}),
]
Text = Annotated[
    str,
    AfterValidator(_text(100)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100, "pattern": _TEXT_PATTERN}),
]


class Parameters(BaseModel):
    """Base of all: camelCase outside, nothing unknown."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class OneOrganisation(Parameters):
    """A route that may be narrowed to one organisation."""

    organisation_id: OrganisationId | None = Field(
        default=None, description="Only this organisation; needed where an id in the path is in several of them."
    )


class Paged(OneOrganisation):
    """A route that answers a list."""

    limit: Limit = Field(default=USUAL_ITEMS, description="How many items to answer at most.")
    cursor: Cursor | None = Field(
        default=None, description="`nextCursor` of the answer before; all other parameters must stay as they were."
    )


class NoParameters(Parameters):
    """GET /api/status"""


class NoBody(Parameters):
    """For routes without a body."""


NOTHING: Final = NoBody()
