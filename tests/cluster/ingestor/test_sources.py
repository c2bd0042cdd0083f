"""MixSources and Secrets by watch, in a leader that runs: added, changed, suspended, removed, corrected, rotated."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

from cluster.acts import eventually
from cluster.ingestor.bed import Bed, Pod
from faults.compare import compare


def begun(pod: Pod, bed: Bed, name: str) -> int:
    """How often the source's runner has begun."""
    return sum(line["source"] == f"{bed.namespace}/{name}" for line in pod.lines("source begins"))


def waits(pod: Pod, bed: Bed, name: str) -> list[str]:
    """The reasons that were logged for its waiting."""
    return [line["reason"] for line in pod.lines("the source waits") if line["source"] == f"{bed.namespace}/{name}"]


def get(pod: Pod, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{pod.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_sources_come_change_and_go_without_a_restart(bed: Bed) -> None:
    first, second = bed.organisations()
    pod = bed.start()
    assert bed.leads("a")
    assert eventually(lambda: get(pod, "/readyz")[0] == 200)

    bed.make_source("one", organisationIDs=[first])
    assert bed.flows("one")
    bed.make_source("two", organisationIDs=[second])
    assert bed.flows("two")
    assert begun(pod, bed, "one") == 1

    # What concerns the sync only disturbs no feed.
    bed.change_source("one", sync={"schedule": "7 7 * * *"})
    bed.change_source("one", stream={"pageSize": 17})
    assert eventually(lambda: begun(pod, bed, "one") == 2)
    assert bed.flows("one")

    bed.change_source("one", suspend=True)
    assert eventually(lambda: begun(pod, bed, "one") == 3)
    resting = bed.pages("one")
    assert bed.flows("two")
    assert bed.pages("one") == resting
    bed.change_source("one", suspend=False)
    assert bed.flows("one")

    bed.delete("mixsources", "one")
    assert eventually(lambda: len(pod.lines("source ended")) == 4)
    gone = bed.pages("one")
    assert bed.flows("two")
    assert bed.pages("one") == gone
    metrics = get(pod, "/metrics")[1]
    assert f'source="{bed.namespace}/two"' in metrics
    held = [line for line in metrics.splitlines() if line.startswith("mixhaul_ingest_cursor_timestamp_seconds")]
    assert not [line for line in held if f'source="{bed.namespace}/one"' in line]

    # Made again it takes up its cursor.
    bed.make_source("one", organisationIDs=[first])
    assert bed.flows("one")
    assert begun(pod, bed, "two") == 1, "nobody else was disturbed"
    assert pod.end() == 0

    bed.haul.simulator.call("POST", "/control/generate", {"stop": True})
    assert bed.start("b", "--until-caught-up").process.wait(timeout=60) == 0
    report = compare(bed.haul.simulator.control, bed.haul.url)
    assert report.equal, report.differences
    assert bed.haul.records()["violations"] == []


def test_a_source_waits_for_its_secret_and_says_what_is_wrong(bed: Bed) -> None:
    first, second = bed.organisations()
    bed.delete("secrets", "mix")
    bed.make_secret("mix-two")
    bed.make_source("one", organisationIDs=[first])
    bed.make_source("two", organisationIDs=[second], secretRef={"name": "mix-two"})
    pod = bed.start()
    assert bed.flows("two")
    assert eventually(lambda: len(waits(pod, bed, "one")) == 1)
    assert "names the Secret mix, which is not in its namespace" in waits(pod, bed, "one")[0]
    bed.make_secret(values={"password": ""})
    assert eventually(lambda: len(waits(pod, bed, "one")) == 2)
    assert "key 'password': is missing" in waits(pod, bed, "one")[1]
    bed.make_secret()
    assert bed.flows("one")
    bed.delete("secrets", "mix")
    assert eventually(lambda: len(waits(pod, bed, "one")) == 3)
    resting = bed.pages("one")
    assert bed.flows("two")
    assert bed.pages("one") == resting
    bed.make_secret()
    assert bed.flows("one")
    assert begun(pod, bed, "two") == 1
    assert bed.login()["password"] not in pod.log()


def test_a_rotated_password_is_used_at_once_and_the_old_one_never_again(bed: Bed) -> None:
    bed.make_source("one")
    pod = bed.start()
    assert bed.flows("one")
    # A label is no rotation.
    bed.plane.request("PATCH", bed.path("secrets", "mix"), {"metadata": {"labels": {"team": "fleet"}}})
    bed.haul.simulator.call(
        "POST", "/control/credentials", {"password": "another", "revokeRefreshTokens": True, "revokeAccessTokens": True}
    )
    query = "SELECT count(*) FROM etl_control WHERE consecutive_errors > 0"
    assert eventually(lambda: bed.rows(query)[0][0] > 0)
    assert begun(pod, bed, "one") == 1
    bed.make_secret(values={"password": "another"})
    assert bed.flows("one")
    assert begun(pod, bed, "one") == 2
    logins = bed.haul.records()["logins"]
    assert [each["ok"] for each in logins] == [True, False, True], "the old password was tried once more, never again"
    assert "another" not in pod.log()


def test_many_changes_in_a_row_end_in_the_last_one(bed: Bed) -> None:
    (first, _) = bed.organisations()
    bed.make_source("one", organisationIDs=[first])
    pod = bed.start()
    assert bed.flows("one")
    for size in range(100, 140):
        bed.change_source("one", stream={"pageSize": size}, suspend=size % 2 == 0)
    assert bed.flows("one")
    for _ in range(5):
        bed.delete("mixsources", "one")
        bed.make_source("one", organisationIDs=[first])
    assert bed.flows("one")
    ended, began = len(pod.lines("source ended")), begun(pod, bed, "one")
    assert began == ended + 1
    time.sleep(2)
    assert begun(pod, bed, "one") == began
    assert bed.haul.records()["violations"] == []


def test_a_kubeconfig_does_where_there_is_no_pod(bed: Bed) -> None:
    bed.make_source("one")
    config = bed.plane.kubeconfig_for(namespace=bed.namespace, service_account=bed.rights.account)
    bed.haul.simulator.call("POST", "/control/generate", {"stop": True})
    bed.haul.environment |= {"KUBECONFIG": str(config), "MIXHAUL_LEASE_NAME": bed.rights.lease}
    done = bed.haul.run("stream", "--kubernetes", "--no-live", "--until-caught-up")
    assert done.returncode == 0
    report = compare(bed.haul.simulator.control, bed.haul.url)
    assert report.equal, report.differences
    assert bed.lease()["holderIdentity"] == ""
    neither = bed.haul.run("stream", "--no-live")
    assert neither.returncode == 64
