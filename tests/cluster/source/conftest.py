"""A control plane with the committed CRD, applied as the README says, and requests about MixSources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.acts import eventually
from cluster.controlplane import ControlPlane
from cluster.paths import HERE
from cluster.source.asking import ALL, Asking


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """One that other tests do not share: they make the CRD in their own way."""
    with ControlPlane() as plane:
        plane.kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(HERE.parents[1] / "crds"))
        eventually(lambda: plane.get(ALL))
        yield plane


@pytest.fixture
def sources(plane: ControlPlane, namespace: str) -> Asking:
    """Of the test's own namespace."""
    return Asking(plane, namespace)
