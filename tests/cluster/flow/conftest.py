"""One release for each file of tests, with a simulator beside it and a pod that asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.flow.world import World
from cluster.nodeclient import Node
from cluster.release import namespace_for_release


@pytest.fixture(scope="module")
def world(node: Node) -> Iterator[World]:
    with namespace_for_release(node, "flow") as release:
        release.upgrade()
        release.start_client()
        yield World(release)
