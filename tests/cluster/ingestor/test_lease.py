"""The Lease on a real API server, with the chart's rights: how leaders follow each other, and that two never write.

The times that are printed (`-s`) are with the short Lease of these tests, not with the real one.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg
import pytest

from cluster.acts import eventually
from cluster.errors import Refused
from cluster.ingestor.bed import SHORT, Bed, Pod
from cluster.ingestor.faultproxy import FaultProxy
from cluster.ingestor.writes import first_write, last_write, no_two_wrote, writes_in_order

ROUNDS = 3
DURATION = float(SHORT["MIXHAUL_LEASE_DURATION_SECONDS"])


def test_one_leads_and_the_other_stands_by(bed: Bed) -> None:
    bed.make_source("one")
    first = bed.start("a")
    assert bed.leads("a")
    second = bed.start("b")
    assert eventually(lambda: second.lines("another process has the Lease"))
    assert bed.flows("one")
    lease = bed.lease()
    assert lease["leaseDurationSeconds"] == 3
    # To and fro: each lets go as it is told to end.
    assert first.end() == 0
    assert bed.leads("b")
    third = bed.start("c")
    assert eventually(lambda: third.lines("another process has the Lease"))
    assert second.end() == 0
    assert bed.leads("c")
    assert bed.flows("one")
    assert bed.lease()["leaseTransitions"] == lease["leaseTransitions"] + 2
    assert third.end() == 0
    assert bed.lease()["holderIdentity"] == ""
    no_two_wrote(bed)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM], ids=lambda number: number.name)
def test_a_leader_that_dies_stops_or_ends_is_followed(bed: Bed, number: signal.Signals) -> None:
    bed.make_source("one")
    pods = {name: bed.start(name) for name in "ab"}
    took = []
    leading = eventually(lambda: bed.leader())
    for _ in range(ROUNDS):
        assert bed.leads(leading)
        assert bed.flows("one")
        (other,) = set(pods) - {leading}
        assert eventually(lambda other=other: pods[other].lines("another process has the Lease"))  # type: ignore[misc]
        at = datetime.now(UTC)
        pods[leading].send(number)
        written = first_write(bed, other, after=at)
        took.append((written - at).total_seconds())
        assert bed.leads(other)
        if number is signal.SIGSTOP:
            stopped = pods[leading]
            said = len(stopped.lines("another process has the Lease"))
            stopped.send(signal.SIGCONT)
            # It wakes up as a leader, and finds that it is none.
            assert eventually(lambda: len(stopped.lines("another process has the Lease")) > said)  # noqa: B023
            assert bed.flows("one")
            assert last_write(bed, leading) < written
            assert stopped.process.poll() is None
        else:
            pods[leading].process.wait(timeout=20)
            pods[leading] = bed.start(leading)
        leading = other
    print(f"\n{number.name}: from the signal to the next leader's first page {took} s, the Lease is {DURATION:.0f} s")
    no_two_wrote(bed)


@pytest.fixture
def apart(bed: Bed, proxy: FaultProxy) -> Iterator[tuple[Pod, Pod]]:
    """`a` leads and reaches the API server through the proxy; `b` waits and reaches it straight."""
    bed.make_source("one")
    first = bed.start("a", port=proxy.port)
    assert bed.leads("a")
    second = bed.start("b")
    assert eventually(lambda: second.lines("another process has the Lease"))
    assert bed.flows("one")
    yield first, second
    no_two_wrote(bed)


@pytest.mark.parametrize("fault", ["hang", "refuse and reset", "hang, and delivered late"])
def test_a_leader_that_cannot_renew_ends_before_another_begins(
    bed: Bed, proxy: FaultProxy, apart: tuple[Pod, Pod], fault: str
) -> None:
    first, _ = apart
    at = datetime.now(UTC)
    if fault == "refuse and reset":
        proxy.refuse()
        proxy.reset()
    else:
        proxy.hang()
    if fault == "hang, and delivered late":
        time.sleep(DURATION * 0.9)
        proxy.passing()
    assert eventually(lambda: first.lines("the Lease could not be renewed in time"))
    if fault != "hang, and delivered late":
        began = first_write(bed, "b", after=at)
        assert bed.leads("b")
        (over,) = first.lines("the Lease could not be renewed in time")
        print(f"\n{fault}: gave up {over['timestamp']}, last page {last_write(bed, 'a')}, the next leader's {began}")
        assert last_write(bed, "a") < began
        assert datetime.fromisoformat(over["timestamp"]) < began
    proxy.passing()
    assert bed.flows("one")
    assert first.process.poll() is None
    # It stands by again.
    if bed.holder() == "b":
        assert eventually(lambda: first.lines("another process has the Lease"))


@pytest.mark.parametrize("fault", ["half-open", "reset", "slow"])
def test_a_leader_gets_over_a_broken_connection(
    bed: Bed, proxy: FaultProxy, apart: tuple[Pod, Pod], fault: str
) -> None:
    first, _ = apart
    renewed = bed.lease()["renewTime"]
    for _ in range(3):
        if fault == "half-open":
            proxy.half_open()
        elif fault == "reset":
            proxy.reset()
        else:
            proxy.passing(delay=0.1)
        assert eventually(lambda: bed.lease()["renewTime"] > renewed)  # noqa: B023
        renewed = bed.lease()["renewTime"]
    assert bed.flows("one")
    assert bed.leads("a")
    assert first.lines("the Lease could not be renewed in time") == []


def test_somebody_who_writes_into_the_lease_takes_nothing_away(bed: Bed, apart: tuple[Pod, Pod]) -> None:
    first, _ = apart
    path = bed.path("leases", bed.rights.lease)
    for number in range(20):
        bed.plane.request("PATCH", path, {"metadata": {"annotations": {"number": str(number)}}})
        time.sleep(0.1)
    assert bed.leads("a")
    assert len(first.lines("leading")) == 1


def test_a_lease_that_is_given_to_another_ends_the_work(bed: Bed, apart: tuple[Pod, Pod]) -> None:
    first, second = apart
    path = bed.path("leases", bed.rights.lease)
    bed.plane.request("PATCH", path, {"spec": {"holderIdentity": "somebody-else"}})
    assert eventually(lambda: first.lines("no longer leading: the term is over"))
    assert second.process.poll() is None
    # Somebody else never renews it.
    assert eventually(lambda: bed.holder() in ("a", "b"), within=60)
    assert bed.flows("one")


def test_a_deleted_lease_is_made_again_by_its_holder(bed: Bed, apart: tuple[Pod, Pod]) -> None:
    first, _ = apart
    bed.delete("leases", bed.rights.lease)
    assert eventually(lambda: bed.holder() == "a")
    time.sleep(DURATION)
    assert bed.leads("a")
    assert len(first.lines("leading")) == 1


def test_whoever_cannot_reach_the_database_lets_another_lead(bed: Bed) -> None:
    bed.make_source("one")
    parts = urlsplit(bed.haul.url)
    with FaultProxy(str(parts.hostname), int(parts.port or 0)) as way:
        url = bed.haul.url.replace(f":{parts.port}/", f":{way.port}/")
        first = bed.start("a", extra={"MIXHAUL_DATABASE_URL": url})
        assert bed.leads("a")
        second = bed.start("b")
        assert eventually(lambda: second.lines("another process has the Lease"))
        assert bed.flows("one")
        way.hang()
        assert bed.leads("b")
        assert bed.flows("one")
        way.passing()
        assert second.end() == 0
        assert bed.leads("a")
        assert bed.flows("one")
        assert first.process.poll() is None
    no_two_wrote(bed)


def test_a_pod_waits_for_its_database(bed: Bed) -> None:
    bed.make_source("one")
    parts = urlsplit(bed.haul.url)
    with FaultProxy(str(parts.hostname), int(parts.port or 0)) as way:
        way.refuse()
        pod = bed.start("a", extra={"MIXHAUL_DATABASE_URL": bed.haul.url.replace(f":{parts.port}/", f":{way.port}/")})
        assert eventually(lambda: pod.lines("waiting for the database"), within=90)
        assert pod.process.poll() is None
        way.passing()
        assert bed.leads("a")
        assert bed.flows("one")


def test_a_leader_without_our_lease_is_waited_for_and_not_driven_out(bed: Bed) -> None:
    bed.make_source("one")
    first = bed.start("a")
    assert bed.leads("a")
    assert bed.flows("one")
    # By somebody's mistake two releases write into one database: theirs has taken the epoch.
    with psycopg.connect(bed.haul.url) as connection:
        connection.execute("UPDATE leader_epochs SET epoch = epoch + 1, holder = 'theirs'")
        connection.execute(
            "UPDATE leader_heartbeats SET epoch = epoch + 1, holder = 'theirs', renewed_at = clock_timestamp(),"
            " duration_seconds = 4"
        )
    assert eventually(lambda: bed.rows("SELECT holder FROM leader_epochs WHERE holder LIKE 'a-%'"), within=60)
    ((waited,),) = bed.rows(
        "SELECT e.acquired_at - max(t.at) > interval '4 s' FROM leader_epochs e, trail t"
        " WHERE t.epoch < e.epoch GROUP BY e.acquired_at"
    )
    assert waited
    assert bed.holder() == "a"
    assert bed.flows("one")
    assert first.process.poll() is None


def test_no_clock_is_compared_with_another(bed: Bed) -> None:
    bed.make_source("one")
    hour = {"a": "3600", "b": "-3600"}
    pods = {name: bed.start(name, extra={"SKEW_SECONDS": skew}) for name, skew in hour.items()}
    leading = eventually(bed.leader)
    for _ in range(2):
        (other,) = set(pods) - {leading}
        assert bed.leads(leading)
        time.sleep(2 * DURATION)
        assert bed.leads(leading)
        assert len(pods[other].lines("leading")) == 0
        at = datetime.now(UTC)
        pods[leading].send(signal.SIGKILL)
        first_write(bed, other, after=at)
        pods[leading] = bed.start(leading, extra={"SKEW_SECONDS": hour[leading]})
        leading = other
    # The first token is made of the wrong clock, which the simulator notices; that is not what this is about.
    writes_in_order(bed)


def test_without_its_rights_it_says_so_and_comes_back(bed: Bed, apart: tuple[Pod, Pod]) -> None:
    first, second = apart
    role = bed.path("roles", bed.rights.role)
    less = [rule for rule in bed.rights.rules if rule["resources"] != ["leases"]]
    bed.plane.request("PATCH", role, {"rules": less})
    assert eventually(lambda: first.lines("the Lease could not be renewed in time"))
    assert "check the ingestor's Role" in first.lines("the Lease was not renewed; tried again")[0]["error"]
    assert eventually(lambda: second.lines("the Lease can't be taken"))
    resting = bed.pages("one")
    time.sleep(1.5)
    assert bed.pages("one") == resting
    bed.plane.request("PATCH", role, {"rules": bed.rights.rules})
    assert bed.flows("one")


def test_the_role_is_the_charts_and_names_the_one_lease(bed: Bed) -> None:
    token = bed.token()
    with pytest.raises(Refused) as caught:
        bed.plane.request("GET", bed.path("leases", "another"), token=token)
    assert caught.value.code == 403
    with pytest.raises(Refused) as caught:
        bed.plane.request("GET", bed.path("leases"), token=token)
    assert caught.value.code == 403
    with pytest.raises(Refused) as caught:
        bed.plane.request("GET", bed.path("configmaps"), token=token)
    assert caught.value.code == 403
