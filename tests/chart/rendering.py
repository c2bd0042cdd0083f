"""The chart rendered by helm, and its objects as a test looks at them."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cluster.paths import BIN
from cluster.paths import HERE as CLUSTER

HERE = Path(__file__).resolve().parent
CHART = HERE.parents[1] / "charts" / "mixhaul"
VALUES = {path.stem: path for path in sorted((HERE / "values").glob("*.yaml"))}
REFUSED = {path.stem: path for path in sorted((HERE / "refused").glob("*.yaml"))}
RELEASE = "mixhaul"
NAMESPACE = "fleet"
OLDEST = "1.27.0"
NEWEST = "1.37.0"

# libyaml's is ten times as fast.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Container:
    """One container, with the object and the pod that it is in."""

    owner: Object
    pod: Object
    value: Object

    def __str__(self) -> str:
        return f"{self.owner['kind']} {self.owner['metadata']['name']}"

    @property
    def command(self) -> list[str]:
        return list(self.value["command"])

    @property
    def env(self) -> dict[str, Object]:
        return {each["name"]: each for each in self.value.get("env", ())}

    def setting(self, name: str) -> str | None:
        found = self.env.get(name)
        return None if found is None else found.get("value")


@cache
def helm() -> str:
    """From a wheel of uv.lock, unpacked where the cluster's tests look for it too."""
    program = BIN / "helm"
    BIN.mkdir(parents=True, exist_ok=True)
    with (BIN / ".clients.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            subprocess.run([str(CLUSTER / "clients.sh"), str(BIN)], check=True)
    return str(program)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm(), *arguments], capture_output=True, text=True, timeout=60, check=False)


def template(values: Path, *arguments: str, kubernetes: str = NEWEST) -> subprocess.CompletedProcess[str]:
    command = ["template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--kube-version", kubernetes]
    return run(*command, "--values", str(values), *arguments)


def render(values: Path, *arguments: str, kubernetes: str = NEWEST) -> list[Object]:
    done = template(values, *arguments, kubernetes=kubernetes)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.load_all(done.stdout, Loader=LOADER) if each]


@cache
def rendered(name: str, kubernetes: str = NEWEST) -> list[Object]:
    """Once a run for each file; nobody changes what is in it."""
    return render(VALUES[name], kubernetes=kubernetes)


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def one(objects: list[Object], kind: str, name: str) -> Object:
    return of_kind(objects, kind)[name]


def pod_of(value: Object) -> Object | None:
    """The pod that an object is or makes: metadata and spec."""
    match value["kind"]:
        case "Pod":
            return value
        case "PodTemplate":
            return dict(value["template"])
        case "Deployment" | "StatefulSet" | "Job":
            return dict(value["spec"]["template"])
        case "CronJob":
            return dict(value["spec"]["jobTemplate"]["spec"]["template"])
    return None


def pods(objects: list[Object]) -> Iterator[tuple[Object, Object]]:
    for each in objects:
        pod = pod_of(each)
        if pod is not None:
            yield each, pod


def containers(objects: list[Object]) -> list[Container]:
    return [
        Container(owner, pod, value)
        for owner, pod in pods(objects)
        for value in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
    ]


def component(value: Object) -> str:
    return str(value["metadata"]["labels"]["app.kubernetes.io/component"])
