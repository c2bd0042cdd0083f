"""Inputs for the operator's pure decisions: objects as the API server hands them out, facts, subjects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from mixhaul_operator.conditions.finding import JobFacts, Subject
from mixhaul_operator.facts import (
    Claim,
    FeedFacts,
    Known,
    LoginFacts,
    Organisation,
    SourceFacts,
    SyncFacts,
    Trouble,
)
from mixhaul_operator.schedule import times
from mixhaul_source.model import MixSourceSpec

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CREATED = NOW - timedelta(days=30)
UID = "11111111-1111-1111-1111-111111111111"

SPEC: dict[str, Any] = {
    "endpoint": {"dataCentre": "eu", "insecure": False},
    "secretRef": {"name": "mix"},
    "organisationIDs": ["101", "102"],
    "suspend": False,
    "sync": {"schedule": "30 4 * * *", "timeZone": "Etc/UTC"},
    "stream": {"startFrom": "Oldest", "periodSeconds": 30, "pageSize": 1000},
    "rateLimit": {"requestsPerMinute": 20, "pauseSeconds": 30},
    "deletionPolicy": "Retain",
}

ONE = Organisation(101, "Frota Sul")
TWO = Organisation(102, "Frota Norte")


def source(name: str = "a", *, spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """A MixSource."""
    return {
        "apiVersion": "mixhaul.io/v1alpha1",
        "kind": "MixSource",
        "metadata": {
            "name": name,
            "namespace": "fleet",
            "uid": UID,
            "generation": 1,
            "resourceVersion": "10",
            "creationTimestamp": "2026-10-25T12:00:00Z",
            **metadata,
        },
        "spec": {**SPEC, **(spec or {})},
    }


def spec_of(**changes: Any) -> MixSourceSpec:
    """A validated spec."""
    return MixSourceSpec.model_validate({**SPEC, **changes})


def template(**pod: Any) -> dict[str, Any]:
    """A PodTemplate with the API server's defaults."""
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "mixhaul-sync", "namespace": "fleet", "uid": "t", "resourceVersion": "5"},
        "template": {
            "metadata": {"creationTimestamp": None, "labels": {"team": "telematics"}},
            "spec": {
                "restartPolicy": "Always",
                "serviceAccountName": "mixhaul-sync",
                "containers": [
                    {"name": "proxy", "image": "proxy:1"},
                    {
                        "name": "sync",
                        "image": "mixhaul:1",
                        "args": ["--help"],
                        "env": [{"name": "MIXHAUL_LOG_LEVEL", "value": "info"}],
                        "volumeMounts": [{"name": "tmp", "mountPath": "/data"}],
                        "resources": {"limits": {"memory": "256Mi"}},
                    },
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
                **pod,
            },
        },
    }


def feed(organisation: Organisation = ONE, *, lag: timedelta = timedelta(seconds=40), **changes: Any) -> FeedFacts:
    """A feed that is well, but for the changes."""
    values: dict[str, Any] = {
        "organisation": organisation,
        "position": NOW - lag,
        "last_poll_at": NOW - timedelta(seconds=40),
        "caught_up_at": NOW - lag,
        "has_more": False,
    }
    return FeedFacts(**{**values, **changes})


def failing(trouble: Trouble | None, *, lag: timedelta = timedelta(hours=2), error: str = "MiX said no.") -> FeedFacts:
    """A feed whose last calls went wrong."""
    return feed(lag=lag, has_more=True, consecutive_errors=5, last_error=error, trouble=trouble)


def run(organisation: Organisation | None = ONE, *, ago: timedelta = timedelta(hours=7), **changes: Any) -> SyncFacts:
    """A sync that went well, but for the changes."""
    return SyncFacts(organisation=organisation, at=NOW - ago, **{"succeeded": True, **changes})


def well(**changes: Any) -> SourceFacts:
    """A source of which everything is well, but for the changes."""
    values: dict[str, Any] = {
        "feeds": (feed(ONE), feed(TWO)),
        "syncs": (run(ONE), run(TWO)),
        "login": LoginFacts(accepted=True),
    }
    return SourceFacts(**{**values, **changes})


def subject(facts: SourceFacts | None = None, **changes: Any) -> Subject:
    """The input of the conditions; all is well, but for the facts and the changes."""
    spec = changes.pop("spec", spec_of())
    values: dict[str, Any] = {
        "key": "fleet/a",
        "spec": spec,
        "created_at": CREATED,
        "now": NOW,
        "knowledge": Known(at=NOW, facts=facts if facts is not None else well()),
        "times": times("30 4 * * *", "Etc/UTC", now=NOW),
        "job": JobFacts(scheduled_at=NOW - timedelta(hours=7), succeeded_at=NOW - timedelta(hours=7)),
    }
    return Subject(**{**values, **changes})


def claim(organisation: Organisation = ONE, owner: str = "fleet/b") -> Claim:
    """Of another source."""
    return Claim(organisation, owner)
