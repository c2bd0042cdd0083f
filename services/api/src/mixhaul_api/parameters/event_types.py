"""Parameters of the event types' routes, and the body of a decision."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StrictStr

from mixhaul_api.parameters.common import Flag, Id, OneOrganisation, Paged, Parameters, Severity, Text


class EventTypeSearch(Paged):
    """GET /api/event-types"""

    search: Text | None = Field(default=None, description="Part of the description.", examples=["excesso"])
    is_infraction: Flag | None = Field(
        default=None, description="Only types that count as infractions, or only others."
    )
    family: Text | None = Field(default=None, description="Only this family.")
    severity: Severity | None = Field(default=None, description="Only this severity.")


class OneEventType(OneOrganisation):
    """PATCH /api/event-types/{eventTypeId}"""

    event_type_id: Id = Field(description="The event type's id.")


def _family(text: str) -> str:
    if not 1 <= len(text) <= 100 or not text.isprintable() or text != text.strip():
        raise ValueError("must have from 1 to 100 printable characters, none of them a blank at either end")
    return text


Family = Annotated[StrictStr, AfterValidator(_family)]


class Classification(Parameters):
    """A person's decision whether a type of event counts as an infraction."""

    is_infraction: StrictBool = Field(description="Whether events of this type count as infractions.")
    family: Family | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="The family to show it under. Left out: as it was; null: none.",
        examples=["driving infraction"],
    )
    severity: Severity | None = Field(default=None, description="How much it matters. Left out: as it was.")

    @property
    def sets_family(self) -> bool:
        return "family" in self.model_fields_set
