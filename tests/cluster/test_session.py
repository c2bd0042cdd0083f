"""The control plane that `make cluster-up` leaves behind: entered, ended, and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.acts import eventually
from cluster.paths import HERE
from cluster.processes import runs

Session = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """The command, with a folder for its state that no other session of the same user has."""
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": str(HERE.parent)}

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cluster.session", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)

    yield call
    call("down")


def kept_by(tmp_path: Path) -> int:
    return int(json.loads((tmp_path / "mixhaul-control-plane.json").read_text())["pid"])


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_up_enter_and_down(session: Session, tmp_path: Path) -> None:
    up = session("up")
    assert up.returncode == 0, up.stderr
    keeper = kept_by(tmp_path)
    servers = children_of(keeper)
    assert len(servers) == 3

    assert session("up").stdout == up.stdout  # it runs already
    assert "kube-system" in session("enter", "kubectl", "get", "namespaces").stdout
    bound = session("kubeconfig", "default", "default").stdout.strip()
    refused = session("enter", "kubectl", "--kubeconfig", bound, "get", "secrets")
    assert 'User "system:serviceaccount:default:default" cannot list resource "secrets"' in refused.stderr

    assert session("down").returncode == 0
    assert not [pid for pid in (keeper, *servers) if runs(pid)]
    assert not Path(up.stdout.strip()).parent.exists()
    assert session("enter", "kubectl", "get", "ns").stderr == "no cluster runs: start one with `make cluster-up`\n"


def test_killed_keeper_leaves_no_server_and_no_folder(session: Session, tmp_path: Path) -> None:
    folder = Path(session("up").stdout.strip()).parent
    keeper = kept_by(tmp_path)
    servers = children_of(keeper)
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: not [pid for pid in servers if runs(pid)])
    assert folder.exists()
    assert session("up").returncode == 0
    assert not folder.exists()  # swept by the next start
