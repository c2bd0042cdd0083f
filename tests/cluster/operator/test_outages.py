"""The operator's way to the API server: half-open, forgetful, and with another token. A plane of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster.acts import compact, make_crd
from cluster.controlplane import ControlPlane
from cluster.errors import Refused
from cluster.ingestor.faultproxy import FaultProxy
from cluster.operator.bed import Bed, settled, until
from cluster.operator.rights import ACCOUNT
from cluster.operator.test_process import bed_of
from mixhaul_source.crd import crd

# kopf gives a silent watch up after 70 s.
SILENT_SECONDS = 150.0


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    with ControlPlane(audit=True) as plane:
        make_crd(plane, crd())
        yield plane


def token_for(bed: Bed) -> str:
    return bed.plane.token_for(namespace=bed.namespace, service_account=ACCOUNT)


@pytest.mark.timeout(300)
def test_a_half_open_watch_is_noticed(own_plane: ControlPlane, database_url: str, tmp_path: Path) -> None:
    bed = bed_of(own_plane, "half-open", database_url, tmp_path)
    bed.make_source("a")
    address = urlsplit(own_plane.access.url)
    with FaultProxy(str(address.hostname), int(address.port or 0)) as way:
        access = replace(own_plane.access, url=f"https://127.0.0.1:{way.port}")
        kubeconfig = access.write_kubeconfig(tmp_path / "kubeconfig", token=token_for(bed), namespace=bed.namespace)
        with bed.operator(kubeconfig=kubeconfig) as operator:
            assert until(lambda: settled(bed, "a"))
            way.half_open()
            bed.make_source("b")
            bed.delete("cronjobs", "mixhaul-sync-a")
            assert until(lambda: settled(bed, "b") and bed.get("cronjobs", "mixhaul-sync-b"), within=SILENT_SECONDS)
            assert until(lambda: bed.get("cronjobs", "mixhaul-sync-a"), within=SILENT_SECONDS)
            assert operator.stop() == 0


def test_what_happened_while_it_stood_still_and_was_forgotten(
    own_plane: ControlPlane, database_url: str, tmp_path: Path
) -> None:
    bed = bed_of(own_plane, "forgotten", database_url, tmp_path)
    kubeconfig = own_plane.kubeconfig_for(namespace=bed.namespace, service_account=ACCOUNT)
    for name in ("a", "gone"):
        bed.make_source(name)
    with bed.operator(kubeconfig=kubeconfig) as operator:
        assert until(lambda: settled(bed, "a") and settled(bed, "gone"))
        operator.process.send_signal(signal.SIGSTOP)
        bed.delete("mixsources", "gone")
        bed.make_source("b")
        bed.change_source("a", sync={"schedule": "7 7 * * *"})
        bed.delete("secrets", "mix")
        for number in range(50):
            bed.plane.request("PATCH", bed.path("mixsources", "a"), {"metadata": {"annotations": {"n": str(number)}}})
        compact(own_plane)
        own_plane.stop_api_server()
        own_plane.start_api_server()
        operator.process.send_signal(signal.SIGCONT)
        for name in ("a", "b"):
            assert until(lambda name=name: bed.condition(name, "Stalled")[1] == "SecretMissing", within=60)
        bed.make_secret()
        for name in ("a", "b"):
            assert until(lambda name=name: settled(bed, name) and bed.condition(name, "Stalled")[1] == "NotStalled")
        found = until(lambda: bed.get("cronjobs", "mixhaul-sync-a"))
        assert found["spec"]["schedule"] == "7 7 * * *"
        assert bed.get("cronjobs", "mixhaul-sync-b")
        assert operator.stop() == 0


@pytest.mark.timeout(300)
def test_a_token_that_rotates(own_plane: ControlPlane, database_url: str, tmp_path: Path) -> None:
    """As in a pod: kubelet writes another token into the file, and the first one is worth nothing any more."""
    if os.geteuid():
        pytest.skip("a folder as in a pod needs a mount, and that root")
    bed = bed_of(own_plane, "rotation", database_url, tmp_path)
    bed.make_secret("binding")
    bound = {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "binding"}}}
    path = bed.path("serviceaccounts", f"{ACCOUNT}/token")
    first = own_plane.request("POST", path, bound)["status"]["token"]
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "namespace").write_text(bed.namespace)
    (account / "ca.crt").write_bytes(own_plane.access.authority.read_bytes())
    (account / "token").write_text(first)
    bed.make_source("a")
    with bed.operator(account=account) as operator:
        assert until(lambda: settled(bed, "a"))
        second = token_for(bed)
        (account / "token").write_text(second)
        # The first one dies with what it was bound to.
        bed.delete("secrets", "binding")

        def refused() -> bool:
            try:
                own_plane.request("GET", bed.path("mixsources"), token=first)
            except Refused as error:
                return error.code == 401
            return False

        assert until(refused, within=60)
        bed.make_source("b")
        bed.delete("cronjobs", "mixhaul-sync-a")
        assert until(lambda: settled(bed, "b") and bed.get("cronjobs", "mixhaul-sync-a"), within=SILENT_SECONDS)
        assert operator.process.poll() is None
        for token in (first, second):
            assert token not in operator.log()
