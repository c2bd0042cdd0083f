"""The CronJob of a MixSource: the release's PodTemplate with what makes it this source's sync.

The template brings image, resources, security context, database settings and whatever a cluster's people add. Added
are arguments, the manifest, the Secret as files, and what a CronJob needs. It does not check that the image is there.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from mixhaul_operator import naming
from mixhaul_source.model import API_VERSION, KIND, MixSourceSpec

CONTAINER: Final = "sync"
ARGUMENTS: Final = ["sync", "--manifest-env"]
MANIFEST_VARIABLE: Final = "MIXHAUL_MANIFEST"
CREDENTIALS_FOLDER: Final = "/var/run/secrets/mixhaul/mix/"
CERTIFICATES_FOLDER: Final = "/var/run/secrets/mixhaul/ca/"

_CREDENTIALS_VOLUME: Final = "mixhaul-mix"
_CERTIFICATES_VOLUME: Final = "mixhaul-ca"
# A run that hangs would keep every later one from starting.
_LONGEST_RUN_SECONDS: Final = 6 * 3600


@dataclass(frozen=True, slots=True)
class Desired:
    """The CronJob as it should be, and the hash of it."""

    value: Mapping[str, Any]
    digest: str

    @property
    def name(self) -> str:
        return str(self.value["metadata"]["name"])


def desired(source: Mapping[str, Any], spec: MixSourceSpec, template: Mapping[str, Any]) -> Desired:
    """From the MixSource as the API server has it, its validated spec, and the PodTemplate."""
    metadata = source["metadata"]
    name = str(metadata["name"])
    labels = naming.labels(name)
    value: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": naming.cron_job_name(name),
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(source)],
        },
        "spec": {
            "schedule": spec.sync.schedule,
            "timeZone": spec.sync.time_zone,
            "suspend": spec.suspend,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": labels},
                "spec": {
                    "backoffLimit": 2,
                    "activeDeadlineSeconds": _LONGEST_RUN_SECONDS,
                    "template": _pod(source, spec, template.get("template") or {}, labels),
                },
            },
        },
    }
    return Desired(value=value, digest=digest_of(value))


def owner_reference(source: Mapping[str, Any]) -> dict[str, Any]:
    """So that the garbage collector removes it with its source. Not blocking: that would need the right to finalize."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": source["metadata"]["name"],
        "uid": source["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }


def manifest_of(source: Mapping[str, Any]) -> str:
    """The MixSource as the worker reads it: only what its owner wrote, so that it changes only when that does."""
    metadata = source["metadata"]
    shown = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {key: metadata[key] for key in ("name", "namespace", "uid")},
        "spec": source["spec"],
    }
    return yaml.safe_dump(shown, sort_keys=True, allow_unicode=True, width=10_000)


def digest_of(value: Mapping[str, Any]) -> str:
    """Equal for equal content."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _pod(
    source: Mapping[str, Any], spec: MixSourceSpec, template: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, Any]:
    pod = copy.deepcopy(dict(template))
    metadata = pod.get("metadata") or {}
    # The API server puts a null time into templates; it has no meaning there.
    metadata.pop("creationTimestamp", None)
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    pod["metadata"] = metadata
    body = pod["spec"] = dict(pod.get("spec") or {})
    # PodTemplates get Always by default, which a Job refuses.
    body["restartPolicy"] = "Never"
    body["automountServiceAccountToken"] = False
    body["volumes"] = [
        *(volume for volume in body.get("volumes") or () if volume.get("name") not in _OURS),
        {"name": _CREDENTIALS_VOLUME, "secret": {"secretName": spec.secret_ref.name}},
    ]
    mounts = [{"name": _CREDENTIALS_VOLUME, "mountPath": CREDENTIALS_FOLDER, "readOnly": True}]
    certificates = spec.endpoint.ca_secret_ref
    if certificates is not None:
        items = [{"key": certificates.key, "path": certificates.key}]
        secret = {"secretName": certificates.name, "items": items}
        body["volumes"].append({"name": _CERTIFICATES_VOLUME, "secret": secret})
        mounts.append({"name": _CERTIFICATES_VOLUME, "mountPath": CERTIFICATES_FOLDER, "readOnly": True})
    containers = [dict(container) for container in body.get("containers") or ()]
    body["containers"] = containers
    container = next((each for each in containers if each.get("name") == CONTAINER), containers[0])
    container["args"] = list(ARGUMENTS)
    container["env"] = [
        *(each for each in container.get("env") or () if each.get("name") != MANIFEST_VARIABLE),
        # The kubelet replaces $(NAME) in values; a doubled dollar is a plain one.
        {"name": MANIFEST_VARIABLE, "value": manifest_of(source).replace("$", "$$")},
    ]
    container["volumeMounts"] = [
        *(mount for mount in container.get("volumeMounts") or () if mount.get("name") not in _OURS),
        *mounts,
    ]
    return pod


_OURS: Final = frozenset({_CREDENTIALS_VOLUME, _CERTIFICATES_VOLUME})
