"""What a platform team does, in order, on one release with pods: each test goes on where the one before it ended."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from cluster.acts import eventually
from cluster.flow.world import INGESTORS, NAME, World

pytestmark = pytest.mark.timeout(900)

ASK = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""


def test_a_source_gets_ready(world: World) -> None:
    world.start_simulator(
        *("--organisations", "2", "--events-per-minute", "120", "--history-days", "1"),
        *("--requests-per-minute", "600", "--pause-seconds", "1"),
    )
    world.apply_secret()
    world.apply_source(requests_per_minute=600)
    eventually(lambda: world.release.items("cronjobs"), within=60)
    world.sync_is_due()
    eventually(lambda: any(each["status"].get("succeeded") for each in world.release.items("jobs")[1:]), within=180)
    world.until_ready()
    head, row = world.release.kubectl("get", "mixsrc").splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "LAG", "SCHEDULE", "LAST", "SYNC", "AGE"]
    assert row.split()[:3] == [NAME, "True", "AllWell"]
    # What it tells of time is there, too.
    assert "<none>" not in row


def test_one_ingestor_leads_and_no_pod_restarts(world: World) -> None:
    pods = world.release.items("pods", "--selector", INGESTORS)
    assert len(pods) == 2
    assert world.leader() in {each["metadata"]["name"] for each in pods}
    assert {each["status"]["containerStatuses"][0]["restartCount"] for each in pods} == {0}


def test_every_event_of_the_truth_is_stored_and_the_api_tells(world: World) -> None:
    world.control("POST", "/control/generate", {"stop": True})
    eventually(lambda: not world.difference(), within=120)
    organisation = str(world.control("GET", "/control/truth/organisations")["organisations"][0]["GroupId"])
    truth = {
        row["DriverId"]
        for row in world.control("GET", "/control/truth/drivers")["drivers"]
        if str(row["organisation"]) == organisation
    }
    token = world.release.token(organisation)
    said = json.loads(world.release.in_client(ASK, "http://mixhaul-api/api/drivers?limit=100", token))
    assert {row["id"] for row in said["items"]} == {str(each) for each in truth}
    world.control("POST", "/control/generate", {"eventsPerMinute": 120})


def test_a_wrong_password_is_told_and_a_right_one_taken_up(world: World) -> None:
    world.control("POST", "/control/credentials", {"revokeRefreshTokens": True, "revokeAccessTokens": True})
    world.apply_secret(password="wrong")
    eventually(lambda: world.condition("CredentialsValid")[0] == "False", within=180)
    status, reason, message = world.condition("CredentialsValid")
    assert (status, reason) == ("False", "LoginRefused")
    assert "wrong" not in message.split()
    world.until_ready("False")
    world.apply_secret()
    world.until_ready()


def test_suspend_stops_it_and_resume_goes_on(world: World) -> None:
    world.release.kubectl("patch", "mixsrc", NAME, "--type=merge", '--patch={"spec": {"suspend": true}}')
    eventually(lambda: world.condition("Ready")[1] == "Suspended", within=60)
    eventually(lambda: world.release.items("cronjobs")[0]["spec"]["suspend"], within=60)
    world.release.kubectl("patch", "mixsrc", NAME, "--type=merge", '--patch={"spec": {"suspend": false}}')
    world.until_ready()


def test_an_upgrade_fails_no_request_and_loses_no_event(world: World) -> None:
    seen: Counter[str] = Counter()
    with world.release.asked_all_the_while(seen):
        world.release.upgrade("log.level=debug")
    assert set(seen) == {"200"}
    assert seen["200"] > 50
    world.control("POST", "/control/generate", {"stop": True})
    eventually(lambda: not world.difference(), within=120)


def test_deleting_a_source_keeps_its_data(world: World) -> None:
    world.release.kubectl("delete", "mixsrc", NAME, "--timeout=60s")
    eventually(lambda: not world.release.items("cronjobs"), within=60)
    ((stored,),) = world.query("SELECT count(*) FROM telemetry_events")
    assert stored > 0


def test_uninstall_leaves_sources(world: World) -> None:
    world.apply_source(requests_per_minute=600)
    world.release.helm("uninstall", "mixhaul", "--wait", "--timeout", "120s")
    assert [each["metadata"]["name"] for each in world.release.items("mixsources")] == [NAME]
