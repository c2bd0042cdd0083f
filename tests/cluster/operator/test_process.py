"""The operator as a process: kills, outages, rights, idleness. A plane of its own, with an audit log."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.acts import make_crd, make_namespace
from cluster.controlplane import ControlPlane
from cluster.operator.bed import Bed, pause, settled, until
from cluster.operator.rights import ACCOUNT, chart_rules, grant
from cluster.rights import Right, set_rules, without
from mixhaul_source.crd import crd

MUTATING = {"create", "update", "patch", "delete", "deletecollection"}


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    with ControlPlane(audit=True) as plane:
        yield plane


@pytest.fixture(scope="module")
def own_mixsources(own_plane: ControlPlane) -> None:
    make_crd(own_plane, crd())


def bed_of(plane: ControlPlane, name: str, database_url: str, folder: Path) -> Bed:
    make_namespace(plane, name)
    grant(plane, name)
    found = Bed(plane=plane, namespace=name, database_url=database_url, folder=folder)
    found.make_template()
    found.make_secret()
    return found


def writes(bed: Bed) -> list[str]:
    """What the operator of this namespace has written so far."""
    user = f"system:serviceaccount:{bed.namespace}:{ACCOUNT}"
    found = []
    for line in bed.plane.audit_log.read_text().splitlines():
        entry: dict[str, Any] = json.loads(line)
        if entry["user"]["username"] == user and entry["verb"] in MUTATING and entry["stage"] == "ResponseComplete":
            reference = entry.get("objectRef", {})
            found.append(f"{entry['verb']} {reference.get('resource')}/{reference.get('name')}")
    return found


def test_without_the_crd_it_says_what_to_do(own_plane: ControlPlane, database_url: str, tmp_path: Path) -> None:
    bed = bed_of(own_plane, "no-crd", database_url, tmp_path)
    with bed.operator(wait=False) as operator:
        assert operator.process.wait(timeout=60) == 69
        assert "kubectl apply --server-side --force-conflicts -f crds/" in operator.log()


@pytest.mark.usefixtures("own_mixsources")
def test_idle_it_writes_nothing_and_after_a_restart_neither(
    own_plane: ControlPlane, database_url: str, tmp_path: Path
) -> None:
    bed = bed_of(own_plane, "idle", database_url, tmp_path)
    names = [f"s{number}" for number in range(30)]
    for name in names:
        bed.make_source(name)
    with bed.operator() as operator:
        for name in names:
            assert until(lambda name=name: settled(bed, name))
        assert operator.get("/readyz")[0] == 200
        before = writes(bed)
        # CronJob and status each once, and one Event.
        assert len(before) == 3 * len(names)
        pause(6)
        assert writes(bed) == before
        assert operator.stop() == 0
    with bed.operator():
        pause(6)
        assert writes(bed) == before


@pytest.mark.usefixtures("own_mixsources")
def test_killed_at_random_points_it_converges(own_plane: ControlPlane, database_url: str, tmp_path: Path) -> None:
    bed = bed_of(own_plane, "kills", database_url, tmp_path)
    chance = random.Random(5)
    names = [f"s{number}" for number in range(40)]
    for name in names:
        bed.make_source(name, deletionPolicy=chance.choice(["Retain", "Delete"]))
    for _ in range(5):
        with bed.operator(wait=False) as operator:
            enough = len(writes(bed)) + chance.randrange(1, 60)
            until(lambda enough=enough: len(writes(bed)) >= enough or all(settled(bed, name) for name in names))
            operator.stop(signal.SIGKILL)
        changed = chance.choice(names)
        bed.change_source(changed, sync={"schedule": f"{chance.randrange(60)} 3 * * *"})
        deleted = chance.choice(names)
        if bed.get("cronjobs", f"mixhaul-sync-{deleted}"):
            bed.delete("cronjobs", f"mixhaul-sync-{deleted}")
    with bed.operator():
        for name in names:
            assert until(lambda name=name: settled(bed, name) and bed.get("cronjobs", f"mixhaul-sync-{name}"))
        items = bed.plane.request("GET", bed.path("cronjobs"))["items"]
        assert sorted(each["metadata"]["name"] for each in items) == sorted(f"mixhaul-sync-{name}" for name in names)
        for name in names:
            source, cron_job = bed.source(name), bed.get("cronjobs", f"mixhaul-sync-{name}")
            assert cron_job is not None
            assert cron_job["spec"]["schedule"] == source["spec"]["sync"]["schedule"]
            held = source["metadata"].get("finalizers") is not None
            assert held == (source["spec"]["deletionPolicy"] == "Delete")
        before = writes(bed)
        pause(3)
        assert writes(bed) == before


@pytest.mark.usefixtures("own_mixsources")
def test_a_missing_right_is_said_and_noticed_when_it_comes(
    own_plane: ControlPlane, database_url: str, tmp_path: Path
) -> None:
    bed = bed_of(own_plane, "rights", database_url, tmp_path)
    set_rules(own_plane, bed.namespace, ACCOUNT, without(chart_rules(), Right("cronjobs", "create")))
    with bed.operator():
        bed.make_source("a")
        assert until(lambda: bed.condition("a", "Reconciling")[:2] == ("True", "Progressing"))
        assert "check the operator's Role" in bed.condition("a", "Reconciling")[2]
        assert bed.condition("a", "Ready")[:2] == ("False", "NotReadyYet")
        set_rules(own_plane, bed.namespace, ACCOUNT, chart_rules())
        assert until(lambda: bed.condition("a", "Reconciling")[:2] == ("False", "UpToDate"), within=60)
        assert bed.get("cronjobs", "mixhaul-sync-a")


@pytest.mark.usefixtures("own_mixsources")
def test_without_a_database_setting_it_says_so(own_plane: ControlPlane, database_url: str, tmp_path: Path) -> None:
    bed = bed_of(own_plane, "no-database", database_url, tmp_path)
    with bed.operator(wait=False, database_url="") as operator:
        assert operator.process.wait(timeout=60) == 78
        assert "MIXHAUL_DATABASE_URL" in operator.log()


@pytest.mark.usefixtures("own_mixsources")
def test_an_older_crd_is_said_and_does_not_stop_it(own_plane: ControlPlane, database_url: str, tmp_path: Path) -> None:
    bed = bed_of(own_plane, "older", database_url, tmp_path)
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mixsources.mixhaul.io"
    status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties"
    own_plane.request("PATCH", path, [{"op": "remove", "path": f"{status}/sync"}], patch="json")
    try:
        with bed.operator() as operator:
            bed.make_source("a")
            # Served by the old schema for a moment still, and for the next one not at all.
            assert until(lambda: settled(bed, "a"))
            bed.make_source("b")
            bed.change_source("a", suspend=True)
            assert until(lambda: "kubectl apply --server-side --force-conflicts -f crds/" in operator.log(), within=60)
            assert until(lambda: bed.condition("b", "Ready")[1] == "NotReadyYet")
    finally:
        whole = crd()["spec"]
        own_plane.request("PATCH", path, {"spec": {"versions": whole["versions"]}})
    assert until(lambda: bed.plane.get(bed.path("mixsources")))


@pytest.mark.usefixtures("own_mixsources")
def test_the_api_server_away(own_plane: ControlPlane, database_url: str, tmp_path: Path) -> None:
    """The last one here: the controllers take their time to come back, and make no namespace usable meanwhile."""
    bed = bed_of(own_plane, "outage", database_url, tmp_path)
    kubeconfig = own_plane.kubeconfig_for(namespace=bed.namespace, service_account=ACCOUNT)
    bed.make_source("a")
    with bed.operator(kubeconfig=kubeconfig) as operator:
        assert until(lambda: settled(bed, "a"))
        own_plane.stop_api_server()
        pause(4)
        assert operator.get("/livez")[0] == 200
        own_plane.start_api_server()
        bed.make_source("b")
        assert until(lambda: settled(bed, "b"), within=60)
        bed.delete("cronjobs", "mixhaul-sync-a")
        assert until(lambda: bed.get("cronjobs", "mixhaul-sync-a"))
        assert operator.stop() == 0
    bed.make_source("c")
    own_plane.stop_api_server()
    with bed.operator(wait=False, kubeconfig=kubeconfig) as operator:
        until(lambda: "waiting for the API server" in operator.log())
        assert operator.get("/readyz")[0] == 503
        own_plane.start_api_server()
        assert until(lambda: settled(bed, "c"), within=60)
