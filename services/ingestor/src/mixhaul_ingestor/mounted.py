"""The one MixSource of a sync pod: its manifest from an environment variable, its Secret from mounted files.

Both are written by the operator into the CronJob. The pod has no ServiceAccount token and asks no API server.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from mixhaul_ingestor.errors import ManifestNotGiven
from mixhaul_source import manifest, yamldocs
from mixhaul_source.manifest import Source

VARIABLE: Final = "MIXHAUL_MANIFEST"
CREDENTIALS: Final = Path("/var/run/secrets/mixhaul/mix")
CERTIFICATES: Final = Path("/var/run/secrets/mixhaul/ca")


def load(
    environment: Mapping[str, str] = os.environ, *, credentials: Path = CREDENTIALS, certificates: Path = CERTIFICATES
) -> list[Source]:
    """A `ManifestError` when anything about it is wrong, as with a manifest that names its Secrets itself."""
    text = environment.get(VARIABLE, "")
    if not text.strip():
        raise ManifestNotGiven(VARIABLE)
    secrets: dict[tuple[str, str], dict[str, str]] = {}
    for document in yamldocs.read(text, file=VARIABLE):
        for namespace, name, folder in _named(document.value, credentials=credentials, certificates=certificates):
            secrets.setdefault((namespace, name), {}).update(_files(folder))
    documents = [_secret(namespace, name, data) for (namespace, name), data in secrets.items()]
    return manifest.parse("\n---\n".join([text, *documents]), file=VARIABLE)


def _named(value: Any, *, credentials: Path, certificates: Path) -> list[tuple[str, str, Path]]:
    """Namespace and name of each Secret that a document names, and where its values are; what is odd is left out."""
    value = value if isinstance(value, Mapping) else {}
    spec = _part(value, "spec")
    namespace = _part(value, "metadata").get("namespace", "default")
    found = (
        (_part(spec, "secretRef").get("name"), credentials),
        (_part(_part(spec, "endpoint"), "caSecretRef").get("name"), certificates),
    )
    return [(str(namespace), name, folder) for name, folder in found if isinstance(name, str)]


def _part(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = value.get(key)
    return part if isinstance(part, Mapping) else {}


def _files(folder: Path) -> dict[str, str]:
    """Key and value in base64 of each file. kubelet's own entries begin with two dots."""
    try:
        files = [each for each in sorted(folder.iterdir()) if each.is_file() and not each.name.startswith("..")]
        return {each.name: base64.b64encode(each.read_bytes()).decode() for each in files}
    except OSError:
        # Reported as the keys that are missing then.
        return {}


def _secret(namespace: str, name: str, data: Mapping[str, str]) -> str:
    """As a document. JSON is YAML."""
    metadata = {"name": name, "namespace": namespace}
    return orjson.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}).decode()
