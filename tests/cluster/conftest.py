"""One control plane for the whole run (3 s), one namespace a test (milliseconds), one node for those who need pods."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import nodeclient
from cluster.acts import make_crd, make_namespace
from cluster.controlplane import ControlPlane
from cluster.nodeclient import Node
from mixhaul_source.crd import crd


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-m pods` and `-m "not pods"` tell the levels apart."""
    for item in items:
        if "node" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.pods)


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="session")
def mixsources(plane: ControlPlane) -> None:
    """The kind is served."""
    make_crd(plane, crd())


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """Deleting it afterwards would cost more than it tells: the whole plane is thrown away."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    make_namespace(plane, name)
    return name


@pytest.fixture
def kubeconfig_for(plane: ControlPlane, namespace: str) -> Callable[[str], Path]:
    """For a ServiceAccount of the test's namespace: run a program with it, and the RBAC that was applied binds it."""

    def kubeconfig(service_account: str) -> Path:
        return plane.kubeconfig_for(namespace=namespace, service_account=service_account)

    return kubeconfig


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """The cluster of `make cluster-up` where it has a node; otherwise one for this run."""
    running = nodeclient.running()
    if running is not None:
        yield running
        return
    level = nodeclient.level_here()
    if level not in ("kind", "node"):
        pytest.skip(f"no pod can run here, because {level}")
    try:
        yield nodeclient.start(level)
    finally:
        nodeclient.stop(level)
