"""The way to the API server and the API server itself: silent, away, forgetful, and with another token.

A plane of its own, since it is killed here.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from cluster.acts import compact, eventually, make_crd, make_namespace
from cluster.controlplane import ControlPlane
from cluster.errors import Refused
from cluster.ingestor.bed import Bed, make_bed
from cluster.ingestor.faultproxy import FaultProxy
from faults.bed import Bed as Haul
from mixhaul_source.crd import crd


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        make_crd(plane, crd())
        yield plane


@pytest.fixture
def own_bed(own_plane: ControlPlane, haul: Haul, request: pytest.FixtureRequest) -> Bed:
    name = request.function.__name__.replace("_", "-")[:40].strip("-")
    make_namespace(own_plane, name)
    found = make_bed(own_plane, name, haul)
    found.make_secret()
    return found


@pytest.fixture
def way(own_plane: ControlPlane) -> Iterator[FaultProxy]:
    address = urlsplit(own_plane.access.url)
    with FaultProxy(str(address.hostname), int(address.port or 0)) as found:
        yield found


def test_a_half_open_watch_is_noticed(own_bed: Bed, way: FaultProxy) -> None:
    first, second = own_bed.organisations()
    own_bed.make_source("one", organisationIDs=[first])
    pod = own_bed.start("a", port=way.port)
    assert own_bed.flows("one")
    way.half_open()
    own_bed.make_source("two", organisationIDs=[second])
    assert own_bed.flows("two")
    assert pod.process.poll() is None


def test_an_api_server_that_was_away_and_has_forgotten(own_plane: ControlPlane, own_bed: Bed, way: FaultProxy) -> None:
    first, second = own_bed.organisations()
    own_bed.make_source("one", organisationIDs=[first])
    own_bed.make_source("gone", organisationIDs=[second])
    pod = own_bed.start("a", port=way.port)
    assert own_bed.flows("one")
    assert own_bed.flows("gone")
    way.hang()
    assert eventually(lambda: pod.lines("the Lease could not be renewed in time"))
    own_bed.delete("mixsources", "gone")
    own_bed.make_source("two", organisationIDs=[second])
    for number in range(50):
        own_bed.plane.request(
            "PATCH", own_bed.path("mixsources", "one"), {"metadata": {"annotations": {"number": str(number)}}}
        )
    compact(own_plane)
    own_plane.stop_api_server()
    way.passing()
    own_plane.start_api_server()
    assert own_bed.flows("one")
    # Claimed by a source that is no more: what the claim says is not the watch's business.
    assert eventually(lambda: any(f"{own_bed.namespace}/two" == line["source"] for line in pod.lines("source begins")))
    assert not any("gone" in line["source"] for line in pod.lines("source begins")[2:])
    assert any("too old" in line["reason"] for line in pod.lines("listed anew"))
    assert pod.process.poll() is None


def test_an_ingestor_waits_for_an_api_server(own_plane: ControlPlane, own_bed: Bed) -> None:
    own_bed.make_source("one")
    token = own_bed.token()
    own_plane.stop_api_server()
    pod = own_bed.start("a", token=token)
    assert eventually(lambda: pod.lines("the watch is broken; tried again"))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{pod.port}/readyz", timeout=5)
    with caught.value:
        assert "are not known yet" in caught.value.read().decode()
    own_plane.start_api_server()
    assert own_bed.flows("one")
    assert pod.end() == 0


def test_a_token_that_rotates_and_one_that_is_refused(own_plane: ControlPlane, own_bed: Bed) -> None:
    own_bed.make_source("one")
    own_bed.make_secret("binding")
    first = own_plane.request(
        "POST",
        own_bed.path("serviceaccounts", f"{own_bed.rights.account}/token"),
        {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "binding"}}},
    )["status"]["token"]
    pod = own_bed.start("a", token=first)
    assert own_bed.flows("one")
    (pod.account / "token").write_text(own_bed.token())
    assert eventually(lambda: pod.lines("the ServiceAccount token has rotated"))
    # The first one dies with what it was bound to.
    own_bed.delete("secrets", "binding")

    def refused() -> bool:
        try:
            own_plane.request("GET", own_bed.path("mixsources"), token=first)
        except Refused as error:
            return error.code == 401
        return False

    assert eventually(refused, within=60)
    assert own_bed.flows("one")
    assert len(pod.lines("leading")) == 1
    assert pod.lines("the Lease was not renewed; tried again") == []

    (pod.account / "token").write_text(first)
    assert eventually(lambda: pod.lines("the Lease could not be renewed in time"), within=60)
    assert "(401)" in pod.lines("the Lease was not renewed; tried again")[0]["error"]
    (pod.account / "token").write_text(own_bed.token())
    assert own_bed.flows("one")
    for token in (first, own_bed.token()):
        assert token not in pod.log()
