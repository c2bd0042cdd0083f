"""Kubernetes Events about a MixSource, for `kubectl describe`. They are told once and lost if the API server is away:
the conditions hold the state, Events the story."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog

from mixhaul_operator.errors import KubeError
from mixhaul_operator.kube import Kube, namespaced
from mixhaul_operator.naming import MANAGER
from mixhaul_operator.times import stamp
from mixhaul_operator.transitions import Notice
from mixhaul_source.model import API_VERSION, KIND

log = structlog.get_logger("mixhaul_operator.announcing")

_LONGEST_MESSAGE: Final = 1024


async def announce(kube: Kube, source: Mapping[str, Any], notices: Iterable[Notice], *, now: datetime) -> None:
    """Never raises what the API server says."""
    for notice in notices:
        metadata = source["metadata"]
        try:
            await kube.create(namespaced("v1", metadata["namespace"], "events"), event(source, notice, now=now))
        except KubeError as error:
            log.warning(
                "an Event could not be told",
                source=f"{metadata['namespace']}/{metadata['name']}",
                reason=notice.reason,
                error=str(error),
            )


def event(source: Mapping[str, Any], notice: Notice, *, now: datetime) -> dict[str, Any]:
    """The object to POST."""
    metadata = source["metadata"]
    at = stamp(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name'][:230]}.{secrets.token_hex(8)}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "type": notice.type,
        "reason": notice.reason,
        "message": notice.message[:_LONGEST_MESSAGE],
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": "",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
