"""The MixSource: what a person writes down to have a fleet's data hauled.

This model is the one source of the CRD, of the field tables in the documentation and of the checks of the standalone
manifest. It does not guarantee that the credentials work or that MiX knows the organisations: the workers find out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mixhaul_source import rules, scalars
from mixhaul_source.endpoints import DataCentre, Urls, urls_of
from mixhaul_source.status import MixSourceStatus

GROUP: Final = "mixhaul.io"
VERSION: Final = "v1alpha1"
KIND: Final = "MixSource"
API_VERSION: Final = f"{GROUP}/{VERSION}"

_MOST_ORGANISATIONS: Final = 500
_NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

ID_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": scalars.ID_PATTERN,
    "maxLength": 20,
    "x-kubernetes-validations": [rules.ID_FORM.as_validation(), rules.ID_WITHIN_INT64.as_validation()],
}

Id64 = Annotated[int, BeforeValidator(scalars.parse_id), PlainSerializer(str), WithJsonSchema(ID_SCHEMA)]


def _schema(pattern: str, form: rules.Rule, *, longest: int) -> WithJsonSchema:
    """The schema of a text that has its own parser, whose sentence is better than a pattern's."""
    schema = {"type": "string", "pattern": pattern, "minLength": 1, "maxLength": longest}
    return WithJsonSchema({**schema, "x-kubernetes-validations": [form.as_validation()]})


Url = Annotated[str, AfterValidator(scalars.parse_url), _schema(scalars.URL_PATTERN, rules.URL_FORM, longest=512)]
CronLine = Annotated[
    str, AfterValidator(scalars.parse_schedule), _schema(scalars.CRON_PATTERN, rules.CRON_FORM, longest=100)
]
TimeZone = Annotated[
    str, AfterValidator(scalars.parse_time_zone), _schema(scalars.TIME_ZONE_PATTERN, rules.TIME_ZONE_FORM, longest=64)
]
StartPoint = Annotated[
    str, AfterValidator(scalars.parse_start), _schema(scalars.START_PATTERN, rules.START_FORM, longest=40)
]


class Part(BaseModel):
    """Base of all parts: immutable, JSON's own types only, unknown fields refused, names as in the manifest."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)
    cel: ClassVar[tuple[rules.Rule, ...]] = ()


class SecretReference(Part):
    """A Secret in the namespace of the MixSource."""

    name: str = Field(
        description="Name of a Secret in the namespace of the MixSource.",
        min_length=1,
        max_length=253,
        pattern=_NAME_PATTERN,
    )


class CaSecretReference(SecretReference):
    """A Secret with a certificate."""

    key: str = Field(
        default="ca.crt",
        description="Key of the Secret that holds the PEM certificates.",
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
    )


class Endpoint(Part):
    """Where MiX answers."""

    cel = (rules.ONE_ENDPOINT, rules.BOTH_URLS, rules.HTTPS, rules.SAME_ENDPOINT)

    data_centre: DataCentre | None = Field(
        default=None,
        alias="dataCentre",
        description="MiX's data centre of the account, which gives both URLs. Either this, or apiURL and identityURL.",
    )
    api_url: Url | None = Field(
        default=None,
        alias="apiURL",
        description="Base URL of the data API, where it is none of the data centres: a proxy or a simulator.",
    )
    identity_url: Url | None = Field(
        default=None,
        alias="identityURL",
        description="Base URL of the identity server, where /connect/token follows; goes with apiURL.",
    )
    ca_secret_ref: CaSecretReference | None = Field(
        default=None,
        alias="caSecretRef",
        description="Secret with the PEM certificates to trust instead of the public ones.",
    )
    insecure: bool = Field(
        default=False,
        description="Permits plain http:// URLs, and a period and pause of less than 30 seconds. For simulators.",
    )

    @property
    def urls(self) -> Urls:
        """The base URLs, whichever way they were given."""
        if self.data_centre is not None:
            return urls_of(self.data_centre)
        return Urls(api=str(self.api_url), identity=str(self.identity_url))

    @model_validator(mode="after")
    def _check(self) -> Self:
        urls = [url for url in (self.api_url, self.identity_url) if url is not None]
        if (self.data_centre is not None) == bool(urls):
            raise _violation(rules.ONE_ENDPOINT)
        if len(urls) == 1:
            raise _violation(rules.BOTH_URLS)
        if not self.insecure and any(url.startswith("http://") for url in urls):
            raise _violation(rules.HTTPS)
        return self


class Sync(Part):
    """When support data is fetched."""

    schedule: CronLine = Field(
        default="30 4 * * *",
        description="When drivers, vehicles, event types and sites are fetched whole, as a cron line of five fields.",
    )
    time_zone: TimeZone = Field(
        default="Etc/UTC",
        alias="timeZone",
        description="Time zone of the schedule, as a name of the IANA database.",
    )


class Stream(Part):
    """How the event feed is followed."""

    start_from: StartPoint = Field(
        default="Oldest",
        alias="startFrom",
        description="Where a feed without progress begins: Oldest (what MiX still has, 7 days), Now, or a date "
        "(2026-11-01, midnight UTC) or time with offset. From a date older than 7 days on, the rest becomes a gap that "
        "is backfilled.",
    )
    period_seconds: int = Field(
        default=30,
        alias="periodSeconds",
        ge=1,
        le=3600,
        description="Seconds to wait once the feed has said that there is no more. At least 30, unless "
        "endpoint.insecure.",
    )
    page_size: int = Field(default=1000, alias="pageSize", ge=1, le=1000, description="Events asked for with one call.")

    @property
    def start_time(self) -> datetime | None:
        """The moment to start from, in UTC; None for `Oldest` and `Now`."""
        return scalars.start_time(self.start_from)


class RateLimit(Part):
    """What MiX permits."""

    requests_per_minute: int = Field(
        default=20,
        alias="requestsPerMinute",
        ge=1,
        le=6000,
        description="Calls in any 60 seconds for each organisation, of all processes together. More than 20 only "
        "where MiX has granted it, or for a simulator.",
    )
    pause_seconds: int = Field(
        default=30,
        alias="pauseSeconds",
        ge=0,
        le=3600,
        description="Seconds without a call after the feed has said that there is no more. At least 30, unless "
        "endpoint.insecure.",
    )


class Retention(Part):
    """How long data is kept; what is absent is kept for ever."""

    event_days: int | None = Field(
        default=None,
        alias="eventDays",
        ge=1,
        le=36500,
        description="Days for which events are kept, by their own time. Absent: for ever.",
    )
    raw_days: int | None = Field(
        default=None,
        alias="rawDays",
        ge=1,
        le=36500,
        description="Days for which MiX's answers are kept byte for byte, by when they came. Absent: for ever.",
    )


class MixSourceSpec(Part):
    """What is wanted."""

    cel = (rules.PERIOD, rules.PAUSE)

    endpoint: Endpoint = Field(description="Where MiX answers.")
    secret_ref: SecretReference = Field(
        alias="secretRef",
        description="Secret with the keys clientID, clientSecret, username and password.",
    )
    organisation_ids: tuple[Id64, ...] = Field(
        default=(),
        alias="organisationIDs",
        strict=False,
        max_length=_MOST_ORGANISATIONS,
        description="MiX ids of the organisations to haul, as strings in quotes. Empty: every one that the login sees.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    suspend: bool = Field(
        default=False,
        description="Stops sync and stream and keeps everything. After 7 days the feed's position is lost, and the "
        "time between becomes a gap.",
    )
    sync: Sync = Field(default_factory=Sync, description="When drivers, vehicles, event types and sites are fetched.")
    stream: Stream = Field(default_factory=Stream, description="How the event feed is followed.")
    rate_limit: RateLimit = Field(
        default_factory=RateLimit, alias="rateLimit", description="What MiX permits for each organisation."
    )
    retention: Retention = Field(default_factory=Retention, description="How long data is kept.")
    deletion_policy: Literal["Retain", "Delete"] = Field(
        default="Retain",
        alias="deletionPolicy",
        description="What becomes of the stored data when the MixSource is deleted: Retain keeps it, and a MixSource "
        "made again goes on from there; Delete deletes it.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.organisation_ids)) < len(self.organisation_ids):
            raise PydanticCustomError("rule", "organisationIDs: each id may stand there once: remove the doubled one")
        if not self.endpoint.insecure:
            if self.stream.period_seconds < 30:
                raise _violation(rules.PERIOD)
            if self.rate_limit.pause_seconds < 30:
                raise _violation(rules.PAUSE)
        return self


class Metadata(BaseModel):
    """The parts of an object's metadata that matter here; the API server's other ones are let through."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=253, pattern=_NAME_PATTERN)
    namespace: str = Field(default="default", min_length=1, max_length=63, pattern=_NAME_PATTERN)
    uid: str | None = None
    generation: int | None = None


class MixSource(BaseModel):
    """A whole object."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_version: Literal["mixhaul.io/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["MixSource"]
    metadata: Metadata
    spec: MixSourceSpec
    status: MixSourceStatus | None = None


def _violation(rule: rules.Rule) -> PydanticCustomError:
    return PydanticCustomError("rule", "{message}", {"message": rule.message})
