"""What the operator knows of the cluster: MixSources, CronJobs and PodTemplates raw, Secrets as hashes.

It is fed by watch events, by our own LISTs and by the answers to our own writes, and always keeps the newest version:
a late event never brings back an older one. Resource versions of one resource compare as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from mixhaul_operator.naming import cron_job_name
from mixhaul_operator.secret_state import SecretState, state_of

Object = Mapping[str, Any]
Kept = TypeVar("Kept")


class Shelf(Generic[Kept]):
    """The objects of one kind by name; `keep` makes of an object what is kept of it."""

    def __init__(self, keep: Callable[[Object], Kept]) -> None:
        self._keep = keep
        self._kept: dict[str, Kept] = {}
        self._versions: dict[str, int] = {}

    def get(self, name: str) -> Kept | None:
        return self._kept.get(name)

    def names(self) -> Iterable[str]:
        return self._kept.keys()

    def values(self) -> Iterable[Kept]:
        return self._kept.values()

    def put(self, value: Object) -> bool:
        """Whether it was news."""
        name, version = _name(value), _version(value)
        if version <= self._versions.get(name, -1):
            return False
        self._versions[name] = version
        self._kept[name] = self._keep(value)
        return True

    def drop(self, value: Object) -> bool:
        """After a DELETED event; one of a former life of the name changes nothing."""
        name = _name(value)
        if _version(value) < self._versions.get(name, -1):
            return False
        return self._forget(name)

    def replace(self, values: Iterable[Object], *, version: str) -> set[str]:
        """After a LIST as of `version`. The names that were news; what came later than the list stays."""
        changed: set[str] = set()
        listed: set[str] = set()
        for value in values:
            listed.add(_name(value))
            if self.put(value):
                changed.add(_name(value))
        for name in [name for name in self._kept if name not in listed]:
            if self._versions[name] <= int(version):
                self._forget(name)
                changed.add(name)
        return changed

    def _forget(self, name: str) -> bool:
        self._versions.pop(name, None)
        return self._kept.pop(name, None) is not None


class World:
    """Everything, and which sources a change concerns."""

    def __init__(self) -> None:
        self.sources: Shelf[Object] = Shelf(_without_managed_fields)
        self.cron_jobs: Shelf[Object] = Shelf(_without_managed_fields)
        self.templates: Shelf[Object] = Shelf(_without_managed_fields)
        self.secrets: Shelf[SecretState] = Shelf(state_of)
        self._by_cron_job: dict[str, str] = {}

    def concerned(self, cron_job: Object) -> set[str]:
        """The sources that a CronJob matters to: its owner, and the one that needs its name."""
        found = {owner_of(cron_job), self._by_cron_job.get(_name(cron_job))}
        return {name for name in found if name is not None and self.sources.get(name) is not None}

    def put_source(self, source: Object) -> bool:
        """Whether it was news."""
        name = _name(source)
        self._by_cron_job[cron_job_name(name)] = name
        return self.sources.put(source)

    def drop_source(self, source: Object) -> bool:
        """Whether it was there."""
        name = _name(source)
        dropped = self.sources.drop(source)
        if dropped:
            self._by_cron_job.pop(cron_job_name(name), None)
        return dropped

    def replace_sources(self, sources: Iterable[Object], *, version: str) -> set[str]:
        """After a LIST; the names that were news."""
        changed = self.sources.replace(sources, version=version)
        self._by_cron_job = {cron_job_name(name): name for name in self.sources.names()}
        return changed

    def sources_with_secret(self, name: str) -> list[str]:
        """Names of the sources that refer to a Secret, for the login or for certificates."""
        return [str(source["metadata"]["name"]) for source in self.sources.values() if name in _secrets_of(source)]


def owner_of(cron_job: Object) -> str | None:
    """The MixSource that a CronJob says it belongs to."""
    for reference in cron_job["metadata"].get("ownerReferences") or ():
        if reference.get("kind") == "MixSource":
            return str(reference.get("name"))
    return None


def _secrets_of(source: Object) -> set[str]:
    spec = source.get("spec") or {}
    login = (spec.get("secretRef") or {}).get("name")
    certificates = ((spec.get("endpoint") or {}).get("caSecretRef") or {}).get("name")
    return {name for name in (login, certificates) if name}


def _without_managed_fields(value: Object) -> Object:
    """They are half of an object's size, and nothing here reads them."""
    metadata = {key: each for key, each in value["metadata"].items() if key != "managedFields"}
    return {**value, "metadata": metadata}


def _name(value: Object) -> str:
    return str(value["metadata"]["name"])


def _version(value: Object) -> int:
    try:
        return int(value["metadata"].get("resourceVersion") or 0)
    except ValueError:
        return 0
