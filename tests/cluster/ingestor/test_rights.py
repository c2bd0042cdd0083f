"""Each right that the chart grants the ingestor is needed: without it a 403 is seen, and what it is for fails.

Given back, it works without a restart: so it was that right, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from cluster.acts import eventually, make_crd, make_namespace
from cluster.controlplane import ControlPlane
from cluster.ingestor.bed import Bed, make_bed
from cluster.rights import Right, asked, refused, rights_of, set_rules, without
from faults.bed import Bed as Haul
from mixhaul_source.crd import crd


@dataclass(frozen=True, slots=True)
class Promise:
    """What the ingestor does with one right: `before` and `begin` bring it about, `kept` says whether it did."""

    kept: Callable[[Bed], bool]
    before: Callable[[Bed], object]
    begin: Callable[[Bed], object] = lambda _: None


def reads(bed: Bed) -> bool:
    """Pages of the source are committed."""
    return bed.pages("one") > 0


def with_source(bed: Bed) -> None:
    bed.make_source("one")


def with_lease(bed: Bed) -> None:
    """One that somebody else has left behind, and a source."""
    body = {"metadata": {"name": bed.rights.lease}, "spec": {"holderIdentity": "x", "leaseDurationSeconds": 1}}
    bed.plane.request("POST", bed.path("leases"), body)
    bed.make_source("one")


def without_secret(bed: Bed) -> None:
    bed.delete("secrets", "mix")
    bed.make_source("one")


def with_leader(bed: Bed) -> None:
    bed.start("b")
    assert bed.leads("b")


def listed(bed: Bed, resource: str) -> bool:
    return bool(entries(bed, Right(resource, "list")))


def source_comes(bed: Bed) -> None:
    eventually(lambda: listed(bed, "mixsources"), within=60)
    bed.make_source("one")


def secret_comes(bed: Bed) -> None:
    eventually(lambda: listed(bed, "secrets"), within=60)
    bed.make_secret()


def waits_without_asking(bed: Bed) -> bool:
    """Whoever stands by is told of the Lease, and doesn't ask for it again and again."""
    before = len(entries(bed, Right("leases", "get")))
    time.sleep(2.0)
    return len(entries(bed, Right("leases", "get"))) == before


PROMISES: Final[dict[Right, Promise]] = {
    Right("mixsources", "list"): Promise(reads, with_source),
    Right("mixsources", "watch"): Promise(reads, lambda _: None, source_comes),
    Right("secrets", "list"): Promise(reads, with_source),
    Right("secrets", "watch"): Promise(reads, without_secret, secret_comes),
    Right("leases", "create"): Promise(reads, with_source),
    Right("leases", "get"): Promise(reads, with_lease),
    Right("leases", "update"): Promise(reads, with_lease),
    Right("leases", "watch"): Promise(waits_without_asking, with_leader),
}


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    with ControlPlane(audit=True) as plane:
        make_crd(plane, crd())
        yield plane


def entries(bed: Bed, right: Right) -> list[object]:
    return list(asked(bed.plane, namespace=bed.namespace, account=bed.rights.account, right=right))


@pytest.mark.parametrize("right", PROMISES, ids=str)
def test_no_right_is_spare(right: Right, own_plane: ControlPlane, haul: Haul) -> None:
    promise = PROMISES[right]
    namespace = f"{right.verb}-{right.resource}"
    make_namespace(own_plane, namespace)
    bed = make_bed(own_plane, namespace, haul)
    account, rules = bed.rights.account, bed.rights.rules
    assert rights_of(rules) == sorted(PROMISES)
    set_rules(own_plane, namespace, bed.rights.role, without(rules, right))
    bed.make_secret()
    promise.before(bed)
    pod = bed.start("a")
    promise.begin(bed)
    assert eventually(lambda: refused(own_plane, namespace=namespace, account=account, right=right), within=60)
    time.sleep(1.5)
    assert not promise.kept(bed)
    set_rules(own_plane, namespace, bed.rights.role, rules)
    assert eventually(lambda: promise.kept(bed), within=60)
    assert pod.process.poll() is None
