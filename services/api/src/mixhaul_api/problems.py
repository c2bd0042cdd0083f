"""Problem documents (RFC 9457): every answer of the API that is not what was asked for.

One `Problem` is raised anywhere below a route and becomes `application/problem+json` at the edge. Its texts may be
shown to the caller, so they name what the caller sent and never what is in the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

CONTENT_TYPE: Final = "application/problem+json"
_PREFIX: Final = "urn:mixhaul:problem:"


class FieldError(TypedDict):
    """One thing that is wrong with a request."""

    location: Annotated[str, Field(description="`path`, `query` or `body`.", examples=["query"])]
    name: Annotated[str, Field(description="The parameter, or the member of the body.", examples=["limit"])]
    message: Annotated[str, Field(description="What is wrong, for a person.", examples=["must be from 1 to 200"])]


class ProblemDocument(TypedDict):
    """What is wrong with a request, or with the server (RFC 9457)."""

    type: Annotated[str, Field(description="Names the kind of problem; stable.", examples=[f"{_PREFIX}bad-request"])]
    title: Annotated[str, Field(description="The kind of problem, for a person.", examples=["Bad request"])]
    status: Annotated[int, Field(ge=400, le=599, description="The HTTP status, once more.")]
    detail: Annotated[str, Field(description="What happened this time and what to do about it.")]
    instance: Annotated[str, Field(description="The path that was asked for.")]
    requestId: Annotated[str, Field(description="Quote it when you ask for help: it is in the server's log.")]
    errors: NotRequired[Annotated[list[FieldError], Field(description="Every parameter or member that is wrong.")]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its name in `type`, its title and its status."""

    name: str
    title: str
    status: HTTPStatus

    @property
    def uri(self) -> str:
        return _PREFIX + self.name


BAD_REQUEST: Final = Kind("bad-request", "Bad request", HTTPStatus.BAD_REQUEST)
INVALID_PARAMETERS: Final = Kind("invalid-parameters", "Invalid parameters", HTTPStatus.BAD_REQUEST)
INVALID_CURSOR: Final = Kind("invalid-cursor", "Invalid cursor", HTTPStatus.BAD_REQUEST)
INVALID_BODY: Final = Kind("invalid-body", "Invalid body", HTTPStatus.BAD_REQUEST)
UNAUTHENTICATED: Final = Kind("unauthenticated", "A valid bearer token is needed", HTTPStatus.UNAUTHORIZED)
FORBIDDEN: Final = Kind("forbidden", "The token's roles do not permit this", HTTPStatus.FORBIDDEN)
NOT_FOUND: Final = Kind("not-found", "Not found", HTTPStatus.NOT_FOUND)
METHOD_NOT_ALLOWED: Final = Kind("method-not-allowed", "Method not allowed", HTTPStatus.METHOD_NOT_ALLOWED)
REQUEST_TIMEOUT: Final = Kind("request-timeout", "The request came too slowly", HTTPStatus.REQUEST_TIMEOUT)
NOT_ACCEPTABLE: Final = Kind("not-acceptable", "Not there in that form", HTTPStatus.NOT_ACCEPTABLE)
AMBIGUOUS: Final = Kind("ambiguous-id", "The id is in several organisations", HTTPStatus.CONFLICT)
TOO_LARGE: Final = Kind("body-too-large", "The body is too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
URI_TOO_LONG: Final = Kind("uri-too-long", "The address is too long", HTTPStatus.REQUEST_URI_TOO_LONG)
UNSUPPORTED_MEDIA_TYPE: Final = Kind(
    "unsupported-media-type", "Unsupported media type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
)
HEADERS_TOO_LARGE: Final = Kind(
    "headers-too-large", "The header is too large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
)
TOO_MANY_REQUESTS: Final = Kind("too-many-requests", "Too many requests", HTTPStatus.TOO_MANY_REQUESTS)
EXPECTATION_FAILED: Final = Kind("expectation-failed", "Expectation failed", HTTPStatus.EXPECTATION_FAILED)
INTERNAL: Final = Kind("internal", "Something is wrong with the server", HTTPStatus.INTERNAL_SERVER_ERROR)
UNAVAILABLE: Final = Kind("unavailable", "Not available now", HTTPStatus.SERVICE_UNAVAILABLE)

# For what passes by itself: try again in so many seconds.
RETRY: Final = {"Retry-After": "2"}


class Problem(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self, kind: Kind, detail: str, *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        super().__init__(detail)

    def document(self, *, instance: str, request_id: str) -> ProblemDocument:
        """The body of the answer."""
        document = ProblemDocument(
            type=self.kind.uri,
            title=self.kind.title,
            status=self.kind.status.value,
            detail=self.detail,
            instance=instance,
            requestId=request_id,
        )
        if self.errors:
            document["errors"] = list(self.errors)
        return document


def invalid_parameter(name: str, message: str, *, location: str = "query") -> Problem:
    """One parameter is wrong."""
    return Problem(
        INVALID_PARAMETERS,
        f"The parameter {name} {message}.",
        errors=[FieldError(location=location, name=name, message=message)],
    )


def not_found(what: str, shown: str) -> Problem:
    """No such thing, or not in the organisations of the token: the two must look alike."""
    return Problem(NOT_FOUND, f"There is no {what} {shown} in the organisations that this token may see.")
