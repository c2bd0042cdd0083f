"""The chart with pods that run: helm waits, tests and upgrades; in a namespace that enforces `restricted`.

In order, on one release of the try-out: each test goes on where the one before it ended. The ingestor has no pods here:
its own tests have them.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import CHART
from cluster.acts import eventually
from cluster.commands import run
from cluster.nodeclient import Node
from cluster.paths import HERE

# A first build of the image takes minutes.
pytestmark = pytest.mark.timeout(900)

SETTINGS = (
    "postgresql.tryOut.enabled=true,postgresql.tryOut.persistence.enabled=false,"
    "image.tag=test,image.pullPolicy=Never,ingestor.replicas=0"
)
DATABASE = "mixhaul-try-out-postgresql-0"
ASK_UNTIL_TOLD = """
import collections, json, sys, threading, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
seen, told = collections.Counter(), threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
print("begun", flush=True)
while not told.is_set():
    try:
        seen[str(urllib.request.urlopen(request, timeout=5).status)] += 1
    except OSError as error:
        seen[f"failed: {error}"] += 1
print(json.dumps(seen))
"""
SOURCE = {
    "apiVersion": "mixhaul.io/v1alpha1",
    "kind": "MixSource",
    "metadata": {"name": "fleet"},
    "spec": {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}, "organisationIDs": ["101"]},
}


class Release:
    """One release in a namespace of its own, and a pod that asks its API."""

    def __init__(self, node: Node, namespace: str) -> None:
        self.node = node
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None, ok: bool = True) -> str:
        return self.node.kubectl("--namespace", self.namespace, *arguments, stdin=stdin, ok=ok)

    def helm(self, *arguments: str) -> str:
        return self.node.helm(*arguments, "--namespace", self.namespace)

    def items(self, kind: str) -> list[dict[str, Any]]:
        return list(json.loads(self.kubectl("get", kind, "--output", "json"))["items"])

    def upgrade(self, *settings: str) -> str:
        chosen = ",".join((SETTINGS, *settings))
        command = ("upgrade", "--install", "mixhaul", str(CHART), "--set", chosen)
        return self.helm(*command, "--wait", "--wait-for-jobs", "--timeout", "240s")

    def token(self) -> str:
        command = ("mixhaul-api", "token", "--organisation", "101")
        return self.kubectl("exec", "deployment/mixhaul-api", "--", *command).strip()

    @contextmanager
    def asked_all_the_while(self, seen: Counter[str]) -> Iterator[None]:
        """The API is called through its Service, without a pause, while the body runs."""
        command = ["kubectl", "--namespace", self.namespace, "exec", "--stdin", "client", "--", "python3", "-c"]
        url = "http://mixhaul-api/api/status"
        with self.node.popen(*command, ASK_UNTIL_TOLD, url, self.token()) as asking:
            assert asking.stdout is not None
            assert asking.stdout.readline() == "begun\n"
            try:
                yield
                out, _ = asking.communicate(timeout=60)
            except BaseException:
                asking.kill()
                raise
        seen.update(json.loads(out))


@pytest.fixture(scope="module")
def release(node: Node) -> Iterator[Release]:
    if node.level == "node" and shutil.which("buildah") is None:
        pytest.skip("no image can be built here, because buildah is missing: apt-get install buildah")
    env = {**os.environ, "TAG": "test", "IMAGE": "localhost/mixhaul"}
    script = str(HERE.parent.parent / "tools" / "images.sh")
    run(script, "build", env=env, within=800)
    node.load(Path(run(script, "archive", env=env).strip()))
    found = Release(node, f"chart-{uuid.uuid4().hex[:8]}")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": found.namespace, "labels": labels}}
    node.kubectl("apply", "--filename", "-", stdin=json.dumps(namespace))
    yield found
    node.kubectl("delete", "namespace", found.namespace, "--wait=false")


@pytest.fixture(scope="module")
def installed(release: Release) -> Release:
    release.upgrade()
    # As hardened as the product's pods are: the one of `helm test`, asleep.
    (hook,) = (each for each in yaml.safe_load_all(release.helm("get", "hooks", "mixhaul")) if each["kind"] == "Pod")
    hook["metadata"] = {"name": "client"}
    hook["spec"]["containers"][0].update(command=["sleep", "infinity"], args=[])
    hook["spec"].update(terminationGracePeriodSeconds=0, activeDeadlineSeconds=None)
    release.kubectl("apply", "--filename", "-", stdin=json.dumps(hook))
    release.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=120s")
    return release


def test_install_waits_until_everything_is_ready(installed: Release) -> None:
    ready = {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each["status"]["phase"]
        for each in installed.items("pods")
        if each["metadata"]["name"] != "client"
    }
    assert ready == {
        "operator": "Running",
        "api": "Running",
        "migrate": "Succeeded",
        "try-out-postgresql": "Running",
    }
    restarts = [
        status["restartCount"] for each in installed.items("pods") for status in each["status"]["containerStatuses"]
    ]
    assert set(restarts) == {0}


def test_helm_test_asks_the_api(installed: Release) -> None:
    said = installed.helm("test", "mixhaul", "--logs")
    assert "Succeeded" in said
    assert "/api/status answers 200" in said


def test_a_source_gets_its_cron_job(installed: Release) -> None:
    installed.kubectl("apply", "--filename", "-", stdin=json.dumps(SOURCE))
    eventually(lambda: installed.items("cronjobs"))
    assert [each["metadata"]["name"] for each in installed.items("cronjobs")] == ["mixhaul-sync-fleet"]


def test_upgrade_and_rollback_fail_no_request(installed: Release) -> None:
    seen: Counter[str] = Counter()
    before = {each["metadata"]["name"] for each in installed.items("pods")}
    with installed.asked_all_the_while(seen):
        installed.upgrade("log.level=debug")
        installed.helm("rollback", "mixhaul", "--wait", "--timeout", "240s")
    assert set(seen) == {"200"}
    assert seen["200"] > 50
    after = {each["metadata"]["name"] for each in installed.items("pods")}
    assert {each for each in before & after if "-api-" in each} == set()
    assert DATABASE in before & after


def test_a_database_without_a_volume_begins_anew(installed: Release) -> None:
    installed.kubectl("delete", "pod", DATABASE, "--wait")
    installed.kubectl("wait", "--for=condition=Ready", f"pod/{DATABASE}", "--timeout=120s")
    assert "Succeeded" in installed.helm("test", "mixhaul")


def test_uninstall_leaves_the_source_and_the_passwords(installed: Release) -> None:
    said = installed.helm("uninstall", "mixhaul", "--wait", "--timeout", "120s")
    assert "mixhaul-try-out-postgresql" in said
    assert [each["metadata"]["name"] for each in installed.items("mixsources")] == ["fleet"]
    assert "mixhaul-try-out-postgresql" in {each["metadata"]["name"] for each in installed.items("secrets")}
