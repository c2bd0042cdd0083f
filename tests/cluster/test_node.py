"""What a cluster with a node proves about itself: pods run, probes bite, Services answer, helm waits.

In order, on one release: each test goes on where the one before it ended.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from cluster import nodeclient
from cluster.acts import eventually
from cluster.nodeclient import Node
from cluster.paths import HERE

CHART = str(HERE / "demo" / "chart")
pytestmark = pytest.mark.timeout(300)

GET = "import sys,urllib.request as u; print(u.urlopen(sys.argv[1], timeout=3).read().decode(), end='')"
GET_MANY = """
import collections, json, sys, urllib.request
seen = collections.Counter()
for _ in range(int(sys.argv[2])):
    seen[urllib.request.urlopen(sys.argv[1], timeout=3).read().split()[1].decode()] += 1
print(json.dumps(seen))
"""
GET_UNTIL_TOLD = """
import collections, json, sys, threading, urllib.request
seen, told = collections.Counter(), threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
print("begun", flush=True)
while not told.is_set():
    try:
        seen[urllib.request.urlopen(sys.argv[1], timeout=3).read()[:2].decode()] += 1
    except OSError as error:
        seen[f"failed: {error}"] += 1
print(json.dumps(seen))
"""
WHO_AM_I = """
import json, ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
review = {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}
request = urllib.request.Request(
    "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews",
    data=json.dumps(review).encode(),
    headers={"Authorization": "Bearer " + open(folder + "token").read(), "Content-Type": "application/json"},
)
answer = urllib.request.urlopen(request, context=ssl.create_default_context(cafile=folder + "ca.crt"))
print(json.load(answer)["status"]["userInfo"]["username"])
"""


class Demo:
    """The release, and the pod that asks it."""

    def __init__(self, node: Node, namespace: str) -> None:
        self.node = node
        self.namespace = namespace
        self.url = f"http://demo.{namespace}.svc.cluster.local/"

    def kubectl(self, *arguments: str, stdin: str | None = None, ok: bool = True) -> str:
        return self.node.kubectl("--namespace", self.namespace, *arguments, stdin=stdin, ok=ok)

    def helm(self, *arguments: str) -> str:
        return self.node.helm("--namespace", self.namespace, *arguments)

    def python(self, code: str, *arguments: str, pod: str = "client") -> str:
        return self.kubectl("exec", pod, "--", "python3", "-c", code, *arguments)

    def pods(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", "-l", "app=demo", "-o", "json"))["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def one_pod(self) -> str:
        return str(self.pods()[0]["metadata"]["name"])


@pytest.fixture(scope="session")
def demo(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    node.load(nodeclient.build_demo_image(tmp_path_factory.mktemp("image")))
    demo = Demo(node, f"demo-{uuid.uuid4().hex[:8]}")
    demo.helm("install", "demo", CHART, "--create-namespace", "--wait", "--timeout", "90s")
    yield demo
    node.kubectl("delete", "namespace", demo.namespace, "--wait=false")


def test_helm_install_waits_for_hook_and_probes(demo: Demo) -> None:
    assert demo.kubectl("logs", "job/migrate") == "migrated\n"
    assert [pod["status"]["containerStatuses"][0]["ready"] for pod in demo.pods()] == [True, True]


def test_helm_test_runs_a_pod_that_finds_the_service_by_name(demo: Demo) -> None:
    assert "Succeeded" in demo.helm("test", "demo", "--timeout", "60s")
    assert "/test" in demo.kubectl("logs", "demo-test")


def test_service_spreads_over_both_pods(demo: Demo) -> None:
    assert len(json.loads(demo.python(GET_MANY, demo.url, "60"))) == 2


def test_a_pod_reaches_itself_through_its_service(demo: Demo) -> None:
    name = demo.one_pod()
    assert name in json.loads(demo.python(GET_MANY, "http://demo/", "60", pod=name))


def test_logs_exec_secret_and_user(demo: Demo) -> None:
    name = demo.one_pod()
    assert "listening as 65532" in demo.kubectl("logs", name)
    said = demo.kubectl("exec", name, "--", "sh", "-c", "cat /secret/password; echo; printenv PASSWORD")
    assert said.split() == ["s3cret", "s3cret"]


def test_root_file_system_cannot_be_written(demo: Demo) -> None:
    said = demo.kubectl("exec", demo.one_pod(), "--", "sh", "-c", "touch /tmp/a && touch /a", ok=False)
    assert "Read-only file system" in said


def test_port_forward(demo: Demo) -> None:
    with demo.node.popen("kubectl", "-n", demo.namespace, "port-forward", "svc/demo", ":80") as forward:
        try:
            assert forward.stdout is not None
            address = forward.stdout.readline().split()[2]  # Forwarding from 127.0.0.1:PORT -> 8080
            assert demo.node.run("python3", "-c", GET, f"http://{address}/forwarded").startswith("v1 ")
        finally:
            forward.terminate()


def test_projected_token_is_the_service_accounts(demo: Demo) -> None:
    assert demo.python(WHO_AM_I).strip() == f"system:serviceaccount:{demo.namespace}:default"


def test_job_of_a_cron_job_completes(demo: Demo) -> None:
    demo.kubectl("create", "job", "now", "--from=cronjob/sync")
    demo.kubectl("wait", "--for=condition=Complete", "job/now", "--timeout=60s")
    assert demo.kubectl("logs", "job/now") == "synced\n"


def test_eviction_is_refused_by_the_budget_and_deletion_is_not(demo: Demo) -> None:
    name = demo.one_pod()
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": demo.namespace},
    }
    path = f"/api/v1/namespaces/{demo.namespace}/pods/{name}/eviction"
    refused = demo.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction), ok=False)
    assert "Cannot evict pod as it would violate the pod's disruption budget" in refused
    demo.kubectl("delete", "pod", name, "--force", "--grace-period=0")
    demo.kubectl("rollout", "status", "deploy/demo", "--timeout=60s")
    assert name not in [pod["metadata"]["name"] for pod in demo.pods()]


def test_rolling_upgrade_drops_no_request(demo: Demo) -> None:
    command = ("kubectl", "-n", demo.namespace, "exec", "-i", "client", "--", "python3", "-c", GET_UNTIL_TOLD, demo.url)
    with demo.node.popen(*command) as asking:
        assert asking.stdout is not None
        assert asking.stdin is not None
        assert asking.stdout.readline() == "begun\n"
        demo.helm("upgrade", "demo", CHART, "--set", "version=2", "--wait", "--timeout", "90s")
        asking.stdin.close()
        answers = Counter(json.loads(asking.stdout.read()))
    assert set(answers) == {"v1", "v2"}, answers  # an empty or failed answer is a request that the upgrade lost


def test_liveness_probe_restarts_what_hangs(demo: Demo) -> None:
    name = demo.one_pod()

    def restarts() -> int:
        (pod,) = [one for one in demo.pods() if one["metadata"]["name"] == name]
        return int(pod["status"]["containerStatuses"][0]["restartCount"])

    before = restarts()
    demo.python(GET, "http://127.0.0.1:8080/hang", pod=name)
    eventually(lambda: restarts() > before, within=60.0)


def test_memory_limit_kills(demo: Demo) -> None:
    hog = {
        "name": "hog",
        "image": "localhost/demo:1",
        "imagePullPolicy": "Never",
        "command": ["python3", "-c", "bytearray(300 * 1024 * 1024)"],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hog"},
        "spec": {"restartPolicy": "Never", "containers": [hog]},
    }
    demo.kubectl("apply", "-f", "-", stdin=json.dumps(pod))

    def ended() -> Any:
        status = json.loads(demo.kubectl("get", "pod", "hog", "-o", "json"))["status"]
        return status.get("containerStatuses", [{}])[0].get("state", {}).get("terminated")

    assert eventually(ended, within=60.0)["reason"] == "OOMKilled"


def test_host_program_on_the_nodes_address_is_reached_by_pods(demo: Demo) -> None:
    if demo.node.level == "kind":
        pytest.skip("kind's pods reach the host in another way")
    server = "import os; os.environ['VERSION'] = '9'; exec(open(os.sys.argv[1]).read())"
    with demo.node.popen("python3", "-c", server, str(HERE / "demo" / "server.py")) as host:
        try:
            assert host.stdout is not None
            assert host.stdout.readline().startswith("listening")
            assert demo.python(GET, f"http://{demo.node.host_address}:8080/").startswith("v9 ")
        finally:
            host.terminate()


def test_outside_is_unreachable(demo: Demo) -> None:
    if demo.node.level == "kind":
        pytest.skip("kind's nodes have the host's network, and its way out")
    said = demo.kubectl("exec", "client", "--", "python3", "-c", GET, "http://192.0.2.1/", ok=False)
    assert "urllib.error.URLError" in said
