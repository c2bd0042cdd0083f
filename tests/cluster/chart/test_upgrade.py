"""From the previous chart to this one, on a PostgreSQL beside the cluster, with the API asked all the while; and away.

In order, on one release: each test goes on where the one before it ended. The previous chart is `previous/`, as
`helm package` made it of an earlier commit: nothing was released yet, so it runs this checkout's image.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chart.rendering import CHART
from cluster.acts import eventually
from cluster.chart.test_install import documented_command
from cluster.flow.world import NAME, World
from cluster.nodeclient import Node
from cluster.paths import HERE
from cluster.release import namespace_for_release
from support.postgres import reachable_folder

pytestmark = pytest.mark.timeout(900)

(PREVIOUS,) = (HERE / "chart" / "previous").glob("mixhaul-*.tgz")
SETTINGS = (
    "image.tag=test,image.pullPolicy=Never,database.existingSecret=database,encryptionKeys.existingSecret=encryption,"
    "api.jwt.existingSecret=jwt"
)
CRD = "mixsources.mixhaul.io"


@contextmanager
def postgres_beside(node: Node) -> Iterator[str]:
    """Its URL."""
    with reachable_folder() as folder:
        command = ["env", f"PYTHONPATH={HERE.parent}", sys.executable, "-m", "cluster.chart.beside", str(folder)]
        with node.popen(*command) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            assert url.startswith("postgresql://"), "no PostgreSQL beside the cluster"
            try:
                yield url
            finally:
                try:
                    server.communicate(timeout=30)
                except subprocess.TimeoutExpired:
                    server.kill()


@pytest.fixture(scope="module")
def world(node: Node) -> Iterator[World]:
    """The previous release, installed with `--wait`, with a simulator and no source yet."""
    if node.level != "node":
        pytest.skip("kind's nodes can't be given a program of their own")
    with namespace_for_release(node, "upgrade") as release, postgres_beside(node) as url:
        for name, key, value in (
            ("database", "uri", url),
            ("encryption", "keys", urlsafe_b64encode(os.urandom(32)).decode()),
            ("jwt", "key", secrets.token_hex(32)),
        ):
            release.apply(
                {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: value}}
            )
        # Another release may have brought this one's already, which helm would leave.
        previous = node.helm("show", "crds", str(PREVIOUS))
        node.kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", stdin=previous)
        release.helm("install", "mixhaul", str(PREVIOUS), "--set", SETTINGS, *WAIT)
        release.start_client()
        yield World(release, database_secret="database")


WAIT = ("--wait", "--wait-for-jobs", "--timeout", "240s")


def stored(world: World) -> int:
    ((number,),) = world.query("SELECT count(*) FROM telemetry_events")
    return int(number)


def uid(world: World) -> str:
    return str(world.release.one("mixsource", NAME)["metadata"]["uid"])


def test_the_previous_chart_reads_a_source(world: World) -> None:
    world.start_simulator(
        *("--organisations", "1", "--events-per-minute", "120", "--history-days", "1"),
        *("--requests-per-minute", "600", "--pause-seconds", "1"),
    )
    world.apply_secret()
    world.apply_source(requests_per_minute=600)
    eventually(lambda: world.release.items("cronjobs"), within=60)
    world.sync_is_due()
    world.until_ready()
    assert stored(world) > 0


def test_an_upgrade_by_the_documented_commands_fails_no_request(world: World) -> None:
    before, source = json.loads(world.release.kubectl("get", "crd", CRD, "--output", "json")), uid(world)
    seen: Counter[str] = Counter()
    with world.release.asked_all_the_while(seen):
        world.release.kubectl(*documented_command())
        world.release.helm("upgrade", "mixhaul", str(CHART), "--reset-then-reuse-values", *WAIT)
    assert set(seen) == {"200"}
    assert seen["200"] > 50
    after = json.loads(world.release.kubectl("get", "crd", CRD, "--output", "json"))
    assert after["spec"] != before["spec"]
    assert uid(world) == source
    assert "mixhaul-0.0.9" not in world.release.helm("list")
    world.until_ready()
    world.control("POST", "/control/generate", {"stop": True})
    eventually(lambda: not world.difference(), within=180)


def test_an_uninstall_leaves_sources_and_data_and_another_install_goes_on(world: World) -> None:
    number, source = stored(world), uid(world)
    world.release.helm("uninstall", "mixhaul", "--wait", "--timeout", "120s")
    assert uid(world) == source
    assert stored(world) == number > 0
    ((token,),) = world.query("SELECT last_successful_sincetoken FROM etl_control WHERE feed = 'events'")
    world.release.helm("install", "mixhaul", str(CHART), "--set", SETTINGS, *WAIT)
    world.control("POST", "/control/generate", {"eventsPerMinute": 120})
    moved = "SELECT count(*) FROM etl_control WHERE feed = 'events' AND last_successful_sincetoken > "
    eventually(lambda: world.query(f"{moved}'{token}'")[0][0] == 1, within=180)
    world.until_ready()
    assert uid(world) == source
    world.control("POST", "/control/generate", {"stop": True})
    eventually(lambda: not world.difference(), within=180)
    assert stored(world) > number
