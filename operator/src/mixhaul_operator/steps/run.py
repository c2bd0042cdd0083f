"""What the steps share: the tools of the process, and the state of one reconciliation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mixhaul_operator.conditions.finding import Blocker
from mixhaul_operator.cronjob import Desired
from mixhaul_operator.cronjob_decision import Written
from mixhaul_operator.kube import Kube, namespaced
from mixhaul_operator.progress import Progress
from mixhaul_operator.schedule import Calendar
from mixhaul_operator.settings import OperatorSettings
from mixhaul_operator.transitions import Notice
from mixhaul_operator.world import World
from mixhaul_runtime.clock import Clock
from mixhaul_source.crd import PLURAL
from mixhaul_source.model import API_VERSION, MixSourceSpec


@dataclass(slots=True)
class Memory:
    """What is computed once for each generation of a source, and gone with it."""

    spec: tuple[object, MixSourceSpec | Blocker] | None = None
    desired: tuple[object, Desired] | None = None
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What all reconciliations use."""

    kube: Kube
    world: World
    progress: Progress
    clock: Clock
    settings: OperatorSettings
    calendar: Calendar = field(default_factory=Calendar)
    memories: dict[str, Memory] = field(default_factory=dict)
    # Status fields that an older CRD drops; written once, they would be missed for ever.
    dropped: set[str] = field(default_factory=set)

    def path(self, name: str, part: str = "") -> str:
        """Of a MixSource."""
        return namespaced(API_VERSION, self.settings.namespace, PLURAL, name, part)

    def memory(self, name: str) -> Memory:
        return self.memories.setdefault(name, Memory())


@dataclass(slots=True)
class Run:
    """One reconciliation. `source` is the newest version that is known; the steps fill in the rest."""

    source: Mapping[str, Any]
    now: datetime
    spec: MixSourceSpec | None = None
    blocker: Blocker | None = None
    secret_problem: Blocker | None = None
    secret_changed_at: datetime | None = None
    login: str | None = None
    cron_job: Mapping[str, Any] | None = None
    written: Written | None = None
    unfinished: str | None = None
    deleting: str | None = None
    last_request: Mapping[str, Any] | None = None
    notices: list[Notice] = field(default_factory=list)
    again_in: float | None = None
    error: Exception | None = None
    changed: bool = False
    over: bool = False

    @property
    def name(self) -> str:
        return str(self.source["metadata"]["name"])

    @property
    def key(self) -> str:
        return f"{self.source['metadata']['namespace']}/{self.name}"

    @property
    def uid(self) -> str:
        return str(self.source["metadata"]["uid"])

    @property
    def generation(self) -> int:
        return int(self.source["metadata"]["generation"])

    @property
    def status(self) -> Mapping[str, Any]:
        return self.source.get("status") or {}

    def look_again(self, seconds: float) -> None:
        """At the latest after so long."""
        self.again_in = seconds if self.again_in is None else min(self.again_in, seconds)
