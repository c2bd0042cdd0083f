"""For each test a namespace with the operator's rights, a database and what a release brings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.controlplane import ControlPlane
from cluster.operator.bed import Bed, Operator
from cluster.operator.rights import grant


@pytest.fixture
def bed(plane: ControlPlane, namespace: str, mixsources: None, database_url: str, tmp_path: Path) -> Bed:
    """Rights, PodTemplate and Secret are there; no MixSource and no operator."""
    grant(plane, namespace)
    found = Bed(plane=plane, namespace=namespace, database_url=database_url, folder=tmp_path)
    found.make_template()
    found.make_secret()
    return found


@pytest.fixture
def operator(bed: Bed) -> Iterator[Operator]:
    """One that runs."""
    with bed.operator() as running:
        yield running
