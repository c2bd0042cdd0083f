"""A control plane that outlives the command which starts it, one a user: what `make cluster-up` leaves behind.

    python -m cluster.session up | down | kubeconfig [NAMESPACE SERVICE_ACCOUNT] | enter [COMMAND...]

The servers die with their parent, so `up` leaves one behind: a process that holds them until SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.access import Access
from cluster.commands import environment
from cluster.controlplane import ControlPlane
from cluster.errors import ClusterError, NoCluster
from cluster.paths import CACHE
from cluster.processes import runs

STATE = Path(os.environ.get("XDG_RUNTIME_DIR") or CACHE) / "mixhaul-control-plane.json"
"""Not in /tmp: a name that anybody can guess there may be somebody else's link."""


@dataclass(frozen=True, slots=True)
class Session:
    pid: int
    url: str
    token: str
    folder: str

    @property
    def access(self) -> Access:
        return Access(url=self.url, token=self.token, folder=Path(self.folder))

    @property
    def kubeconfig(self) -> Path:
        return Path(self.folder) / "kubeconfig"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start it, unless it runs; prints the kubeconfig")
    commands.add_parser("down", help="end it")
    commands.add_parser("keep", help="what `up` leaves behind")
    kubeconfig = commands.add_parser("kubeconfig", help="the administrator's kubeconfig, or one of a ServiceAccount")
    kubeconfig.add_argument("account", nargs="*", metavar="NAMESPACE SERVICE_ACCOUNT")
    enter = commands.add_parser("enter", help="run a command, or a shell, that sees the cluster")
    enter.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    options = parser.parse_args()
    try:
        match options.command:
            case "up":
                print((current() or _up()).kubeconfig)
            case "down":
                _down()
            case "keep":
                _keep()
            case "kubeconfig":
                print(_kubeconfig(options.account))
            case "enter":
                _enter(options.words)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def current() -> Session | None:
    try:
        session = Session(**json.loads(STATE.read_text()))
    except FileNotFoundError:
        return None
    return session if runs(session.pid) and session.kubeconfig.exists() else None  # pids come again, folders do not


def _up() -> Session:
    keeper = subprocess.Popen(
        [sys.executable, "-m", "cluster.session", "keep"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert keeper.stdout is not None
    if keeper.stdout.readline() != "ready\n":
        raise SystemExit(keeper.wait() or 1)  # it has said why on stderr
    session = current()
    if session is None:
        raise NoCluster
    return session


def _keep() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ControlPlane() as plane:
        STATE.parent.mkdir(parents=True, exist_ok=True)
        STATE.touch(mode=0o600)
        access = plane.access
        STATE.write_text(
            json.dumps({"pid": os.getpid(), "url": access.url, "token": access.token, "folder": str(plane.folder)})
        )
        print("ready", flush=True)
        quiet = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):  # the terminal may go away
            os.dup2(quiet, descriptor)
        while True:
            signal.pause()


def _down() -> None:
    session = current()
    if session is not None:
        os.kill(session.pid, signal.SIGTERM)
        while runs(session.pid):
            time.sleep(0.02)
    STATE.unlink(missing_ok=True)


def _kubeconfig(account: list[str]) -> Path:
    session = current()
    if session is None:
        raise NoCluster
    if not account:
        return session.kubeconfig
    if len(account) != 2:
        raise SystemExit("kubeconfig takes a namespace and a ServiceAccount, or nothing")
    return session.access.kubeconfig_for(namespace=account[0], service_account=account[1])


def _enter(words: list[str]) -> None:
    session = current()
    if session is None:
        raise NoCluster
    command = words or [os.environ.get("SHELL", "/bin/sh")]
    env = environment(Path(session.folder), session.kubeconfig)
    env.pop("PYTHONPATH", None)  # it was for this module
    try:
        os.execvpe(command[0], command, env)  # noqa: S606 - this is what one asks for
    except FileNotFoundError:
        raise SystemExit(f"{command[0]}: no such program") from None


if __name__ == "__main__":
    sys.exit(main())
