"""From a MixSource and the Secrets of its namespace, as the API server hands them out, to a source or why it waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mixhaul_ingestor.kubernetes.errors import SecretAbsent, SecretUnusable, SourceWaits, SpecUnusable
from mixhaul_source.certificates import certificates_from
from mixhaul_source.credentials import Secret, credentials_from, secret_from_object
from mixhaul_source.errors import Place, SecretInvalid
from mixhaul_source.manifest import Source
from mixhaul_source.model import MixSourceSpec
from mixhaul_source.validation import problems_of

Object = Mapping[str, Any]


def resolve(value: Object, secrets: Mapping[str, Object], *, file_of: Callable[[str], Path]) -> Source | SourceWaits:
    """`file_of` gives a file with these certificates: the same one for the same text."""
    metadata = value["metadata"]
    name, namespace = str(metadata["name"]), str(metadata["namespace"])
    key = f"{namespace}/{name}"
    try:
        spec = _spec(key, value)
        credentials = credentials_from(_secret(key, spec.secret_ref.name, secrets, field="spec.secretRef.name"))
        ca_file = None
        reference = spec.endpoint.ca_secret_ref
        if reference is not None:
            found = _secret(key, reference.name, secrets, field="spec.endpoint.caSecretRef.name")
            ca_file = file_of(certificates_from(found, reference.key))
    except SourceWaits as reason:
        return reason
    except SecretInvalid as error:
        return SecretUnusable(key, problem=error.sentence)
    return Source(
        name=name, namespace=namespace, uid=str(metadata["uid"]), spec=spec, credentials=credentials, ca_file=ca_file
    )


def fingerprint(value: Object, secrets: Mapping[str, Object]) -> tuple[object, ...]:
    """Equal as long as `resolve` would give the same: status and annotations don't count."""
    spec = value.get("spec") or {}
    names = {
        str((part or {}).get("name", ""))
        for part in (spec.get("secretRef"), (spec.get("endpoint") or {}).get("caSecretRef"))
    }
    metadata = value["metadata"]
    versions = tuple(
        (name, secrets[name]["metadata"].get("resourceVersion") if name in secrets else None) for name in sorted(names)
    )
    return metadata.get("uid"), metadata.get("generation"), versions


def _spec(key: str, value: Object) -> MixSourceSpec:
    try:
        return MixSourceSpec.model_validate(value.get("spec"))
    except ValidationError as error:
        problems = problems_of(error, line_of=lambda _: None)
        raise SpecUnusable(
            key, problems="; also ".join(f"spec.{each}" if each.field else f"spec: {each}" for each in problems)
        ) from error


def _secret(key: str, name: str, secrets: Mapping[str, Object], *, field: str) -> Secret:
    found = secrets.get(name)
    if found is None:
        raise SecretAbsent(key, secret=name, field=field)
    namespace = key.partition("/")[0]
    return secret_from_object(found, name=name, namespace=namespace, place=Place("the cluster"))
