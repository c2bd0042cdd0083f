"""The image that `make images` builds, run as the chart's pods will run it: restricted, on a read-only file system."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.commands import run
from cluster.nodeclient import Node
from cluster.paths import HERE

ROOT = HERE.parent.parent
NAME = "localhost/mixhaul:test"
pytestmark = pytest.mark.timeout(900)  # a first build takes minutes


def programs() -> list[str]:
    members = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    files = [file for member in members for file in ROOT.glob(f"{member}/pyproject.toml")]
    projects = [tomllib.loads(file.read_text()) for file in files]
    return sorted(name for project in projects for name in project["project"].get("scripts", {}))


@pytest.fixture(scope="module")
def pod(node: Node) -> Iterator[Callable[..., str]]:
    """Runs a command in a container of the image."""
    if node.level == "node" and shutil.which("buildah") is None:
        pytest.skip("no image can be built here, because buildah is missing: apt-get install buildah")
    env = {**os.environ, "TAG": "test", "IMAGE": "localhost/mixhaul"}
    script = str(ROOT / "tools" / "images.sh")
    run(script, "build", env=env, within=800)
    node.load(Path(run(script, "archive", env=env).strip()))

    namespace = f"image-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    container = {
        "name": "shell",
        "image": NAME,
        "imagePullPolicy": "Never",
        "command": ["sleep", "infinity"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    for one in (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shell", "namespace": namespace}, "spec": spec},
    ):
        node.kubectl("apply", "-f", "-", stdin=json.dumps(one))
        if one["kind"] == "Namespace":
            node.kubectl("wait", "-n", namespace, "--for=create", "serviceaccount/default", "--timeout=30s")
    node.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/shell", "--timeout=90s")
    yield lambda *command: node.kubectl("exec", "-n", namespace, "shell", "--", *command)
    node.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.mark.parametrize("program", programs())
def test_program_starts(pod: Callable[..., str], program: str) -> None:
    assert "--help" in pod(program, "--help")


def test_programs_are_those_of_the_workspace() -> None:
    assert {"mixhaul-api", "mixhaul-ingestor", "mixhaul-simulator"} <= set(programs())


def test_user_has_a_number_a_name_and_nothing_to_write(pod: Callable[..., str]) -> None:
    assert pod("id").startswith("uid=65532(mixhaul) gid=65532(mixhaul)")
    look = "find /opt /usr /etc -writable -not -type l 2>/dev/null || true"  # some folders are closed to look into, too
    assert pod("sh", "-c", look) == ""


def test_packages_are_installed_and_compiled(pod: Callable[..., str]) -> None:
    code = """
import importlib.util, json, pkgutil
ours = [name for _, name, _ in pkgutil.iter_modules() if name.startswith("mixhaul_")]
specs = [importlib.util.find_spec(name) for name in [*ours, "asyncio", "ssl", "psycopg"]]
print(json.dumps([spec.cached for spec in specs]))
"""
    cached = json.loads(pod("python3", "-c", code))
    assert len([path for path in cached if path.startswith("/opt/mixhaul/") and "/mixhaul_" in path]) >= 7
    assert sorted(pod("ls", "-d", *cached).split()) == sorted(cached)


def test_what_built_it_is_not_in_it(pod: Callable[..., str]) -> None:
    """Neither uv nor the sources, nor an authority of the machine that built it."""
    assert pod("sh", "-c", "ls -d /uv /src /run/secrets/ca /root/.cache 2>/dev/null || true") == ""
