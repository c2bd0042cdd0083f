"""Each right that the chart grants the operator is needed: without it a 403 is seen, and what it is for fails.

Given back, it works without a restart: so it was that right, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from cluster.acts import make_crd, make_namespace
from cluster.controlplane import ControlPlane
from cluster.operator.bed import Bed, Operator, pause, settled, until
from cluster.operator.rights import ACCOUNT, chart_rules, grant
from cluster.rights import Right, asked, refused, rights_of, set_rules, without
from mixhaul_source.crd import crd

CRON_JOB: Final = "mixhaul-sync-{}"


@dataclass(frozen=True, slots=True)
class Promise:
    """What the operator does with one right. `begin` brings it about for a source's name; `kept` says whether it did.

    `besides`: what has to be missing too, so that the right is asked for at all. `once`: it isn't done again later.
    """

    begin: Callable[[Bed, str], object]
    kept: Callable[[Bed, str], object]
    starts: bool = True
    besides: tuple[Right, ...] = ()
    once: bool = False


def make(bed: Bed, name: str) -> object:
    return bed.make_source(name)


def cron_job(bed: Bed, name: str) -> dict[str, Any] | None:
    return bed.get("cronjobs", CRON_JOB.format(name))


def ready_made(bed: Bed, name: str) -> None:
    """A source that is served; and the LIST that repeats the first one is over, so that only watches bring news."""
    bed.make_source(name)
    until(lambda: settled(bed, name) and cron_job(bed, name))
    listed_twice(bed)


def listed_twice(bed: Bed) -> None:
    """Its second LIST is done, and the one that follows the beginning of the watches."""

    def entries(right: Right) -> list[dict[str, Any]]:
        return asked(bed.plane, namespace=bed.namespace, account=ACCOUNT, right=right)

    def lists() -> int:
        found = entries(Right("podtemplates", "list"))
        return len([each for each in found if each["userAgent"] == "mixhaul-operator"])

    def at_rest() -> bool:
        before = lists()
        pause(4)
        return lists() == before

    until(lambda: all(entries(Right(kind, "watch")) for kind in ("mixsources", "secrets", "cronjobs", "podtemplates")))
    until(lambda: lists() > 1)
    until(at_rest)


def lose_cron_job(bed: Bed, name: str) -> None:
    ready_made(bed, name)
    bed.delete("cronjobs", CRON_JOB.format(name))


def lose_secret(bed: Bed, name: str) -> None:
    ready_made(bed, name)
    bed.delete("secrets", "mix")


def change_template(bed: Bed, name: str) -> None:
    ready_made(bed, name)
    bed.make_template(image="registry.example/mixhaul:2")


def edit_cron_job(bed: Bed, name: str) -> None:
    bed.make_source(name)
    until(lambda: cron_job(bed, name))
    bed.plane.request("PATCH", bed.path("cronjobs", CRON_JOB.format(name)), {"spec": {"schedule": "7 7 * * *"}})


def take_its_name(bed: Bed, name: str) -> None:
    """A CronJob of somebody else that no watch has told of."""
    listed_twice(bed)
    pod = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x:1"}]}
    spec = {"schedule": "0 1 * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    bed.plane.request("POST", bed.path("cronjobs"), {"metadata": {"name": CRON_JOB.format(name)}, "spec": spec})
    bed.make_source(name)


def image(bed: Bed, name: str) -> str:
    found = cron_job(bed, name) or {}
    return str(found["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"])


def make_after_lists(bed: Bed, name: str) -> None:
    listed_twice(bed)
    bed.make_source(name)


STARTS: Final = Promise(begin=make, kept=cron_job, starts=False)

PROMISES: Final[dict[Right, Promise]] = {
    Right("mixsources", "list"): STARTS,
    Right("secrets", "list"): STARTS,
    Right("cronjobs", "list"): STARTS,
    Right("podtemplates", "list"): STARTS,
    Right("mixsources", "watch"): Promise(make_after_lists, cron_job),
    Right("cronjobs", "watch"): Promise(lose_cron_job, cron_job),
    Right("secrets", "watch"): Promise(
        lose_secret, lambda bed, name: bed.condition(name, "Stalled")[1] == "SecretMissing"
    ),
    Right("podtemplates", "watch"): Promise(
        change_template, lambda bed, name: image(bed, name) == "registry.example/mixhaul:2"
    ),
    Right("mixsources", "patch"): Promise(
        lambda bed, name: bed.make_source(name, deletionPolicy="Delete"),
        lambda bed, name: bed.source(name)["metadata"].get("finalizers"),
    ),
    Right("mixsources/status", "patch"): Promise(make, lambda bed, name: bed.condition(name, "Ready")[0]),
    Right("cronjobs", "create"): Promise(make, cron_job),
    Right("cronjobs", "update"): Promise(
        edit_cron_job, lambda bed, name: (cron_job(bed, name) or {})["spec"]["schedule"] != "7 7 * * *"
    ),
    Right("cronjobs", "get"): Promise(
        take_its_name,
        lambda bed, name: bed.condition(name, "Stalled")[1] == "ForeignCronJob",
        besides=(Right("cronjobs", "watch"),),
    ),
    Right("events", "create"): Promise(
        make,
        lambda bed, name: [each for each in bed.events("CronJobCreated") if each["involvedObject"]["name"] == name],
        once=True,
    ),
}


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    with ControlPlane(audit=True) as plane:
        make_crd(plane, crd())
        yield plane


def test_there_is_a_promise_for_each_right_of_the_chart() -> None:
    assert rights_of(chart_rules()) == sorted(PROMISES)


@pytest.mark.parametrize("right", PROMISES, ids=str)
def test_no_right_is_spare(right: Right, own_plane: ControlPlane, database_url: str, tmp_path: Path) -> None:
    promise = PROMISES[right]
    namespace = f"{right.verb}-{right.resource}".replace("/", "-")
    make_namespace(own_plane, namespace)
    grant(own_plane, namespace, without(chart_rules(), right, *promise.besides))
    bed = Bed(plane=own_plane, namespace=namespace, database_url=database_url, folder=tmp_path)
    bed.make_template()
    bed.make_secret()
    if not promise.starts:
        promise.begin(bed, "a")
    with bed.operator(wait=promise.starts) as operator:
        if promise.starts:
            promise.begin(bed, "a")
        assert until(lambda: refused(own_plane, namespace=namespace, account=ACCOUNT, right=right), within=60)
        pause(1.5)
        assert not promise.kept(bed, "a")
        assert promise.starts == is_ready(operator)
        set_rules(own_plane, namespace, ACCOUNT, without(chart_rules(), *promise.besides))
        if promise.once:
            promise.begin(bed, "b")
        assert until(lambda: promise.kept(bed, "b" if promise.once else "a"), within=60)
        assert until(operator.is_ready)
        assert operator.stop() == 0


def is_ready(operator: Operator) -> bool:
    return operator.get("/readyz")[0] == 200
