"""The standalone manifest: the very YAML that `kubectl apply` takes, with MixSources and their Secrets.

Everything is read and checked before anything is returned: a manifest is good as a whole, or it is an error. Documents
of other kinds are left out with a warning, so that one file may hold more. It does not guarantee that the credentials
work.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import ValidationError

from mixhaul_source import yamldocs
from mixhaul_source.certificates import certificates_from, written_certificates
from mixhaul_source.credentials import (
    Credentials,
    Secret,
    credentials_from,
    secret_from_object,
)
from mixhaul_source.errors import (
    ManifestIncomplete,
    ManifestNotYaml,
    ManifestUnreadable,
    MixSourceInvalid,
    Place,
    SecretInvalid,
    SecretMissing,
)
from mixhaul_source.model import API_VERSION, GROUP, KIND, MixSource, MixSourceSpec
from mixhaul_source.validation import problems_of

log = structlog.get_logger("mixhaul_source.manifest")

_LARGEST: Final = 4 * 1024 * 1024
_DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True)
class Source:
    """A MixSource with what it refers to: all that a worker needs.

    `uid` is the API server's; a manifest that never met one gets one made of namespace and name, the same each time.
    `ca_file` has the certificates of `endpoint.caSecretRef`.
    """

    name: str
    namespace: str
    uid: str
    spec: MixSourceSpec
    credentials: Credentials
    ca_file: Path | None = None

    @property
    def key(self) -> str:
        """`namespace/name`, the `source` of logs, metrics and tables."""
        return f"{self.namespace}/{self.name}"

    @property
    def life(self) -> str | None:
        """What tells a source from another of the same name before or after it: the API server's uid, if it has one."""
        return None if self.uid == _made_up_uid(self.key) else self.uid

    @property
    def api_url(self) -> str:
        """Base URL of the data API, without a slash at its end."""
        return self.spec.endpoint.urls.api

    @property
    def identity_url(self) -> str:
        """Base URL of the identity server, without a slash at its end; `/connect/token` follows."""
        return self.spec.endpoint.urls.identity


@dataclass(frozen=True, slots=True)
class _Object:
    """One Kubernetes object of the file. `path` leads to it in its document: an item of a List has one."""

    kind: str
    api_version: str
    value: Mapping[str, Any]
    file: str
    document: yamldocs.Document
    path: yamldocs.Path

    def line_of(self, path: yamldocs.Path) -> int | None:
        return self.document.line_of((*self.path, *path))

    def place(self, path: yamldocs.Path = ()) -> Place:
        return Place(self.file, self.line_of(path))


@dataclass(slots=True)
class _Found:
    sources: dict[str, tuple[_Object, MixSource]] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)


def load(path: Path) -> list[Source]:
    """Every MixSource of a file, in its order; a `ManifestError` when anything about it is wrong."""
    return parse(_read(path), file=str(path))


def parse(text: str, *, file: str) -> list[Source]:
    """Like `load`, for a text; `file` is what the errors call it."""
    found = _Found()
    for document in yamldocs.read(text, file=file):
        for each in _objects(document, document.value, (), file):
            _sort_in(found, each)
    if not found.sources:
        raise ManifestIncomplete(
            Place(file), f"it holds no {KIND}: add a document with apiVersion {API_VERSION} and kind {KIND}"
        )
    return [_resolve(each, source, found.secrets) for each, source in found.sources.values()]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ManifestUnreadable(str(path), reason=reason) from error
    if len(raw) > _LARGEST:
        raise ManifestUnreadable(str(path), reason=f"it is larger than {_LARGEST // 1024 // 1024} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        problem = "it is no UTF-8 text: save it as UTF-8"
        # Not chained: the error holds the whole file, Secrets and all.
        raise ManifestNotYaml(str(path), line=line, column=column, problem=problem) from None


def _objects(document: yamldocs.Document, value: Any, path: yamldocs.Path, file: str) -> Iterator[_Object]:
    """The objects of a document: itself, or the items of a List."""
    place = Place(file, document.line_of(path))
    if not isinstance(value, Mapping):
        raise ManifestIncomplete(place, "this is no Kubernetes object: it must be a mapping with apiVersion and kind")
    kind, api_version = value.get("kind"), value.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api_version, str):
        missing = "kind" if not isinstance(kind, str) else "apiVersion"
        raise ManifestIncomplete(place, f"this object has no {missing}: add it, as in {missing}: {_example(missing)}")
    if kind.endswith("List") and isinstance(value.get("items"), list):
        for index, item in enumerate(value["items"]):
            yield from _objects(document, item, (*path, "items", index), file)
    else:
        yield _Object(kind, api_version, value, file, document, path)


def _example(missing: str) -> str:
    return KIND if missing == "kind" else API_VERSION


def _sort_in(found: _Found, each: _Object) -> None:
    group, _, _ = each.api_version.rpartition("/")
    if group == GROUP:
        if each.api_version != API_VERSION or each.kind != KIND:
            raise ManifestIncomplete(
                each.place(), f"{each.api_version} {each.kind} is unknown: this release reads {API_VERSION} {KIND}"
            )
        source = _validated(each)
        key = f"{source.metadata.namespace}/{source.metadata.name}"
        if key in found.sources:
            raise ManifestIncomplete(each.place(), f"MixSource {key} is there twice: rename or remove one")
        found.sources[key] = (each, source)
    elif (each.api_version, each.kind) == ("v1", "Secret"):
        secret = _secret(each)
        if secret.key in found.secrets:
            raise ManifestIncomplete(each.place(), f"Secret {secret.key} is there twice: rename or remove one")
        found.secrets[secret.key] = secret
    else:
        log.warning("a document is left out: neither MixSource nor Secret", kind=each.kind, place=str(each.place()))


def _validated(each: _Object) -> MixSource:
    # The operator is the only writer of a status; one in a file is an export's, and says nothing here.
    wanted = {key: value for key, value in each.value.items() if key != "status"}
    try:
        return MixSource.model_validate(wanted)
    except ValidationError as error:
        problems = problems_of(error, line_of=each.line_of)
        metadata = wanted.get("metadata")
        known = metadata if isinstance(metadata, Mapping) else {}
        name, namespace = known.get("name"), known.get("namespace", _DEFAULT_NAMESPACE)
        source = f"{namespace}/{name}" if name else "without a name"
        raise MixSourceInvalid(
            Place(each.file, problems[0].line),
            source=source,
            problems=problems,
        ) from error


def _secret(each: _Object) -> Secret:
    metadata = each.value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    namespace = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        nameless = "without a name"
        raise SecretInvalid(each.place(), secret=nameless, key=None, problem="metadata.name is missing: add a text")
    return secret_from_object(
        each.value,
        name=name,
        namespace=namespace if isinstance(namespace, str) else _DEFAULT_NAMESPACE,
        place=each.place(),
    )


def _resolve(each: _Object, source: MixSource, secrets: Mapping[str, Secret]) -> Source:
    namespace, spec = source.metadata.namespace, source.spec
    key = f"{namespace}/{source.metadata.name}"

    def secret_named(name: str, *path: str) -> Secret:
        if (found := secrets.get(f"{namespace}/{name}")) is not None:
            return found
        elsewhere = next((other.namespace for other in secrets.values() if other.name == name), None)
        raise SecretMissing(
            each.place(path), source=key, secret=name, namespace=namespace, field=".".join(path), elsewhere=elsewhere
        )

    credentials = credentials_from(secret_named(spec.secret_ref.name, "spec", "secretRef", "name"))
    reference = spec.endpoint.ca_secret_ref
    ca_file = None
    if reference is not None:
        secret = secret_named(reference.name, "spec", "endpoint", "caSecretRef", "name")
        ca_file = written_certificates(certificates_from(secret, reference.key))
    return Source(
        name=source.metadata.name,
        namespace=namespace,
        uid=source.metadata.uid or _made_up_uid(key),
        spec=spec,
        credentials=credentials,
        ca_file=ca_file,
    )


def _made_up_uid(key: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{GROUP}/{key}"))
