"""A cluster with a node, as a test handles it from outside: our own, or kind where a Docker engine answers.

What a test wants to ask a Service, it asks from a pod, or with our own node by `run` and `popen`, which start programs
inside the node's namespaces.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cluster.commands import run
from cluster.nodeconfig import NODE_IP
from cluster.paths import HERE


class Node:
    """A running cluster. `kind` or `node` is its level."""

    host_address = NODE_IP
    """With our own node: what `popen` starts on it is reached by pods, a PostgreSQL or a simulator."""

    def __init__(self, level: str) -> None:
        self.level = level

    def run(self, *command: str, stdin: str | None = None, within: float = 120.0, ok: bool = True) -> str:
        return run(str(HERE / "enter.sh"), *command, stdin=stdin, within=within, ok=ok)

    def popen(self, *command: str) -> subprocess.Popen[str]:
        """Lives until it is terminated, and dies with the test run."""
        return subprocess.Popen(
            [HERE / "enter.sh", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
        )

    def kubectl(self, *arguments: str, stdin: str | None = None, ok: bool = True) -> str:
        return self.run("kubectl", *arguments, stdin=stdin, ok=ok)

    def helm(self, *arguments: str) -> str:
        return self.run("helm", *arguments)

    def load(self, *images: Path) -> None:
        run(str(HERE / "load.sh"), *map(str, images))


def level_here() -> str:
    """`kind` or `node`; what starts with neither is the sentence that says why no node can run on this machine."""
    return _ask("docker_answers && echo kind || missing_for_node") or "node"


def running() -> Node | None:
    level = _ask("if node_runs && ! node_left_over; then echo node; elif kind_runs; then echo kind; fi")
    return Node(level) if level else None


def start(level: str) -> Node:
    """Ended by `stop`, or by the next start once this process is gone."""
    env = {**os.environ, "MIXHAUL_NODE_OWNER": str(os.getpid())}
    run(str(HERE / "up.sh"), level, env=env, within=1800.0)  # it may have to be built
    return Node(level)


def stop(level: str) -> None:
    run(str(HERE / "down.sh"), level)


def build_demo_image(folder: Path) -> Path:
    """A small Python server on the base image; under a second once there is the base."""
    run(str(HERE / "base.sh"), within=600.0)
    base = _ask("echo $images/python-3.11.rootfs.tar")
    out = folder / "demo.tar"
    run(
        *("python3", str(HERE / "image.py"), str(out), "localhost/demo:1", "--base", base),
        *("--add", f"{HERE}/demo/server.py=/server.py", "--entrypoint", "python3", "/server.py"),
    )
    return out


def _ask(question: str) -> str:
    """What env.sh knows: one place says it."""
    return run("bash", "-c", f'set -eu; source "$1/env.sh"; {question}', "bash", str(HERE)).strip()
