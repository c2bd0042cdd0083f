"""MixSources of one namespace through the API server: made, changed, read, and what it says where it refuses."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from cluster.controlplane import ControlPlane
from cluster.errors import Refused

ALL: Final = "/apis/mixhaul.io/v1alpha1/mixsources"
SMALLEST: Final[dict[str, Any]] = {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}}
STRICT: Final = "fieldValidation=Strict"


def spec(**changes: Any) -> dict[str, Any]:
    """The smallest one with some parts instead of its own; a part that is None is left out."""
    found = copy.deepcopy(SMALLEST) | changes
    return {key: value for key, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Asking:
    """Each call is one request; `Refused` comes through."""

    plane: ControlPlane
    namespace: str

    def path(self, name: str = "", part: str = "") -> str:
        parts = [f"/apis/mixhaul.io/v1alpha1/namespaces/{self.namespace}/mixsources", name, part]
        return "/".join(each for each in parts if each)

    def make(self, wanted: Mapping[str, Any], name: str = "fleet") -> dict[str, Any]:
        body = {
            "apiVersion": "mixhaul.io/v1alpha1",
            "kind": "MixSource",
            "metadata": {"name": name},
            "spec": dict(wanted),
        }
        made: dict[str, Any] = self.plane.request("POST", f"{self.path()}?{STRICT}", body)
        return made

    def read(self, name: str = "fleet") -> dict[str, Any]:
        found: dict[str, Any] = self.plane.request("GET", self.path(name))
        return found

    def patch(self, body: Mapping[str, Any], name: str = "fleet", part: str = "") -> dict[str, Any]:
        changed: dict[str, Any] = self.plane.request("PATCH", f"{self.path(name, part)}?{STRICT}", dict(body))
        return changed

    def refusal(self, wanted: Mapping[str, Any]) -> str:
        """What is said where such a spec is refused."""
        with pytest.raises(Refused) as caught:
            self.make(wanted)
        assert (caught.value.code, caught.value.reason) == (422, "Invalid")
        return caught.value.message
