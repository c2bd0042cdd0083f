"""The chart with pods that run: helm waits, tests and upgrades; in a namespace that enforces `restricted`.

In order, on one release of the try-out: each test goes on where the one before it ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from cluster.acts import eventually
from cluster.nodeclient import Node
from cluster.release import Release, namespace_for_release

# A first build of the image takes minutes.
pytestmark = pytest.mark.timeout(900)

DATABASE = "mixhaul-try-out-postgresql-0"
SOURCE = {
    "apiVersion": "mixhaul.io/v1alpha1",
    "kind": "MixSource",
    "metadata": {"name": "fleet"},
    "spec": {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}, "organisationIDs": ["101"]},
}


@pytest.fixture(scope="module")
def installed(node: Node) -> Iterator[Release]:
    with namespace_for_release(node, "chart") as release:
        release.upgrade()
        release.start_client()
        yield release


def test_install_waits_until_everything_is_ready(installed: Release) -> None:
    ready = Counter(
        (each["metadata"]["labels"]["app.kubernetes.io/component"], each["status"]["phase"])
        for each in installed.items("pods")
        if each["metadata"]["name"] != "client"
    )
    assert ready == {
        ("operator", "Running"): 1,
        ("ingestor", "Running"): 2,
        ("api", "Running"): 2,
        ("migrate", "Succeeded"): 1,
        ("try-out-postgresql", "Running"): 1,
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
    installed.apply(SOURCE)
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
