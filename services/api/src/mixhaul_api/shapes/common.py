"""What many answers share: ids, times, freshness."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from mixhaul_api import ids

IdText = Annotated[
    str, Field(pattern=ids.PATTERN, description="A signed 64-bit number as text.", examples=["-5126071423112345678"])
]
OrganisationIdText = Annotated[
    str,
    Field(
        description="The organisation's id in MiX. Where two data centres use the same one, the later one has `@` and "
        "its data API's address behind it.",
        examples=["6243816725049817314"],
    ),
]
Time = Annotated[
    str,
    Field(
        description="RFC 3339 with an offset.",
        json_schema_extra={"format": "date-time"},
        examples=["2026-11-24T08:15:30.000-03:00"],
    ),
]
SeverityText = Annotated[
    str,
    Field(
        description="How much events of a type matter.",
        json_schema_extra={"enum": ["none", "low", "medium", "high"]},
    ),
]


# `from` is a word of Python's, so this one can't be written as a class.
GapInterval = TypedDict("GapInterval", {"from": Time, "to": Time})


class Freshness(TypedDict):
    """As of when the answer is, for one organisation."""

    organisationId: OrganisationIdText
    asOf: Annotated[
        Time | None,
        Field(
            description="What MiX had stored by then is in the answer, gaps apart. null: nothing was fetched yet, so "
            "an empty list says nothing."
        ),
    ]
    lagSeconds: Annotated[float | None, Field(ge=0, description="How long ago `asOf` is.")]
    gaps: Annotated[
        list[GapInterval],
        Field(max_length=20, description="Open gaps, by creation time in MiX, the newest 20 of them."),
    ]
    syncedAt: Annotated[Time | None, Field(description="When drivers, vehicles and event types last came as a whole.")]


NextCursor = Annotated[str | None, Field(description="For the parameter `cursor`; null: this was the last page.")]
