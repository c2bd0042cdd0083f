"""A release of the chart with pods: our own image, the try-out PostgreSQL, and a pod beside it that asks.

What `settings` says goes to helm's `--set`. A namespace of its own enforces Pod Security's `restricted`.
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
from cluster.commands import run
from cluster.nodeclient import Node
from cluster.paths import HERE

IMAGE = "localhost/mixhaul:test"
SETTINGS = (
    "postgresql.tryOut.enabled=true,postgresql.tryOut.persistence.enabled=false,image.tag=test,image.pullPolicy=Never"
)
_ASK_UNTIL_TOLD = """
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


class Release:
    """One release in a namespace of its own, and a pod that asks its API."""

    def __init__(self, node: Node, namespace: str) -> None:
        self.node = node
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None, ok: bool = True) -> str:
        return self.node.kubectl("--namespace", self.namespace, *arguments, stdin=stdin, ok=ok)

    def helm(self, *arguments: str) -> str:
        # Longer than helm's own patience, so that it is helm that says what it waited for.
        return self.node.run("helm", *arguments, "--namespace", self.namespace, within=300)

    def items(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        return list(json.loads(self.kubectl("get", kind, *arguments, "--output", "json"))["items"])

    def one(self, kind: str, name: str) -> dict[str, Any]:
        return dict(json.loads(self.kubectl("get", kind, name, "--output", "json")))

    def apply(self, *objects: dict[str, Any]) -> None:
        value = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--filename", "-", stdin=json.dumps(value))

    def upgrade(self, *settings: str) -> str:
        chosen = ",".join((SETTINGS, *settings))
        command = ("upgrade", "--install", "mixhaul", str(CHART), "--set", chosen)
        return self.helm(*command, "--wait", "--wait-for-jobs", "--timeout", "240s")

    def pod_of_test(self, name: str, **container: Any) -> dict[str, Any]:
        """A pod as hardened as the product's are: the one of `helm test`, doing something else."""
        (hook,) = (each for each in yaml.safe_load_all(self.helm("get", "hooks", "mixhaul")) if each["kind"] == "Pod")
        hook["metadata"] = {"name": name, "labels": {"app": name}}
        hook["spec"]["containers"][0].update(args=[], **container)
        hook["spec"].update(terminationGracePeriodSeconds=0, activeDeadlineSeconds=None)
        return dict(hook)

    def start_client(self) -> None:
        """The pod `client`, asleep, with the image's Python, and memory to compare whole databases."""
        memory = {"requests": {"memory": "64Mi"}, "limits": {"memory": "2Gi"}}
        self.apply(self.pod_of_test("client", command=["sleep", "infinity"], resources=memory))
        self.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=120s")

    def in_client(self, program: str, *arguments: str, ok: bool = True) -> str:
        """What a Python program prints in the pod `client`."""
        return self.kubectl("exec", "--stdin", "client", "--", "python3", "-", *arguments, stdin=program, ok=ok)

    def token(self, organisation: str = "101") -> str:
        command = ("mixhaul-api", "token", "--organisation", organisation)
        return self.kubectl("exec", "deployment/mixhaul-api", "--", *command).strip()

    @contextmanager
    def asked_all_the_while(self, seen: Counter[str]) -> Iterator[None]:
        """The API is called through its Service, without a pause, while the body runs."""
        command = ["kubectl", "--namespace", self.namespace, "exec", "--stdin", "client", "--", "python3", "-c"]
        url = "http://mixhaul-api/api/status"
        with self.node.popen(*command, _ASK_UNTIL_TOLD, url, self.token()) as asking:
            assert asking.stdout is not None
            assert asking.stdout.readline() == "begun\n"
            try:
                yield
                out, _ = asking.communicate(timeout=60)
            except BaseException:
                asking.kill()
                raise
        seen.update(json.loads(out))


@contextmanager
def namespace_for_release(node: Node, prefix: str) -> Iterator[Release]:
    """Builds and loads the image; skips where nothing can build one."""
    if node.level == "node" and shutil.which("buildah") is None:
        pytest.skip("no image can be built here, because buildah is missing: apt-get install buildah")
    env = {**os.environ, "TAG": "test", "IMAGE": "localhost/mixhaul"}
    script = str(HERE.parent.parent / "tools" / "images.sh")
    run(script, "build", env=env, within=800)
    node.load(Path(run(script, "archive", env=env).strip()))
    found = Release(node, f"{prefix}-{uuid.uuid4().hex[:8]}")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": found.namespace, "labels": labels}}
    node.kubectl("apply", "--filename", "-", stdin=json.dumps(namespace))
    try:
        yield found
    finally:
        node.kubectl("delete", "namespace", found.namespace, "--wait=false")
