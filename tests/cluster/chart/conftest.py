"""A control plane that other tests do not share, and for each test a namespace that enforces `restricted`."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from chart.rendering import CHART
from cluster.acts import eventually, make_namespace
from cluster.controlplane import ControlPlane

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
MIXSOURCES = "/apis/mixhaul.io/v1alpha1/mixsources"


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        plane.kubectl("apply", "--server-side", "--filename", str(CHART / "crds"))
        eventually(lambda: plane.get(MIXSOURCES))
        yield plane


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    name = f"test-{uuid.uuid4().hex[:8]}"
    make_namespace(plane, name, labels=RESTRICTED)
    return name


@pytest.fixture
def bare_plane() -> Iterator[ControlPlane]:
    """One that has never seen Mixhaul."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def older_chart(tmp_path: Path) -> Path:
    """The chart as an earlier version might have been: a CRD that knew less and said some things differently."""
    chart = tmp_path / "mixhaul"
    shutil.copytree(CHART, chart)
    (crd,) = (chart / "crds").glob("*.yaml")
    text = crd.read_text(encoding="utf-8")
    older = text.replace("maximum: 6000", "maximum: 60").replace(
        "description: What is wanted.", "description: What was wanted."
    )
    assert older != text
    crd.write_text(older, encoding="utf-8")
    return chart
