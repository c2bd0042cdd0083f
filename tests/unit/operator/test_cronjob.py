"""The CronJob that a MixSource and a PodTemplate make, and what is done about the one that is there."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from mixhaul_operator.cronjob import Desired, desired
from mixhaul_operator.cronjob_decision import Act, Written, decide, replacement, written_of
from mixhaul_operator.naming import cron_job_name, labels
from support.operator_inputs import UID, source, spec_of, template


def wanted(**spec: Any) -> Desired:
    return desired(source(spec=spec), spec_of(**spec), template())


def container_of(found: Desired) -> dict[str, Any]:
    pod = found.value["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return next(each for each in pod["containers"] if each["name"] == "sync")


def test_the_template_stays_and_what_makes_it_this_source_comes_on_top() -> None:
    found = wanted()
    pod = found.value["spec"]["jobTemplate"]["spec"]["template"]
    assert pod["metadata"] == {"labels": {"team": "telematics", **labels("a")}}
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["serviceAccountName"] == "mixhaul-sync"
    assert [each["name"] for each in pod["spec"]["volumes"]] == ["tmp", "mixhaul-mix"]
    assert pod["spec"]["containers"][0] == {"name": "proxy", "image": "proxy:1"}
    container = container_of(found)
    assert container["resources"] == {"limits": {"memory": "256Mi"}}
    assert [each["name"] for each in container["env"]] == ["MIXHAUL_LOG_LEVEL", "MIXHAUL_MANIFEST"]
    assert container["volumeMounts"][-1] == {
        "name": "mixhaul-mix",
        "mountPath": "/var/run/secrets/mixhaul/mix/",
        "readOnly": True,
    }


def test_the_template_itself_is_not_touched() -> None:
    given = template()
    before = copy.deepcopy(given)
    desired(source(), spec_of(), given)
    assert given == before


def test_the_manifest_is_the_source_without_status_and_without_expansion() -> None:
    given = source(annotations={"x": "y"}, spec={"stream": {"startFrom": "$(HOME) $$"}})
    given["status"] = {"observedGeneration": 1}
    text = container_of(desired(given, spec_of(), template()))["env"][-1]["value"]
    # The kubelet's own rule: a doubled dollar is one dollar and begins no reference.
    found = yaml.safe_load(text.replace("$$", "$"))
    assert found["metadata"] == {"name": "a", "namespace": "fleet", "uid": UID}
    assert found["spec"] == given["spec"]
    assert set(found) == {"apiVersion", "kind", "metadata", "spec"}
    assert "$(" not in text.replace("$$", "")
    assert "'101'" in text


def test_a_private_authority_is_mounted() -> None:
    found = wanted(
        endpoint={
            "apiURL": "https://mix.example",
            "identityURL": "https://id.example",
            "caSecretRef": {"name": "ca", "key": "root.pem"},
        }
    )
    volumes = found.value["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
    assert volumes[-1]["secret"] == {"secretName": "ca", "items": [{"key": "root.pem", "path": "root.pem"}]}
    assert container_of(found)["volumeMounts"][-1]["mountPath"] == "/var/run/secrets/mixhaul/ca/"


@pytest.mark.parametrize(
    "changes",
    [
        {"suspend": True},
        {"sync": {"schedule": "0 1 * * *", "timeZone": "Etc/UTC"}},
        {"organisationIDs": ["101"]},
        {"secretRef": {"name": "other"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_matters_changes_the_hash(changes: dict[str, Any]) -> None:
    assert wanted(**changes).digest != wanted().digest


def test_equal_input_gives_the_same_hash() -> None:
    assert wanted().digest == wanted().digest


def test_a_long_name_is_cut_and_stays_apart() -> None:
    one, two = cron_job_name("x" * 200), cron_job_name("x" * 201)
    assert one != two
    assert max(len(one), len(two)) <= 52
    assert cron_job_name("a") == "mixhaul-sync-a"
    assert not cron_job_name("a." * 100).rpartition("-")[0].endswith(".")


WANT = wanted()
WRITTEN = Written(WANT.name, WANT.digest, 3)


def actual(**metadata: Any) -> dict[str, Any]:
    """Ours, as the API server has it."""
    return {
        **WANT.value,
        "metadata": {**WANT.value["metadata"], "uid": "c", "generation": 3, "resourceVersion": "77", **metadata},
    }


def owner(**changes: Any) -> dict[str, Any]:
    return {**WANT.value["metadata"]["ownerReferences"][0], **changes}


@pytest.mark.parametrize(
    ("there", "written", "act", "repair"),
    [
        pytest.param(None, None, Act.CREATE, False, id="none yet"),
        pytest.param(None, WRITTEN, Act.CREATE, True, id="deleted by somebody"),
        pytest.param(actual(), WRITTEN, Act.KEEP, False, id="as it should be"),
        pytest.param(actual(), None, Act.UPDATE, False, id="killed before the status was written"),
        pytest.param(actual(), Written("other", WANT.digest, 3), Act.UPDATE, False, id="written under another name"),
        pytest.param(actual(), Written(WANT.name, "old", 3), Act.UPDATE, False, id="spec changed"),
        pytest.param(actual(generation=4), WRITTEN, Act.UPDATE, True, id="edited"),
        pytest.param(actual(labels={}), WRITTEN, Act.UPDATE, True, id="labels taken away"),
        pytest.param(
            actual(labels={**labels("a"), "theirs": "1"}), WRITTEN, Act.KEEP, False, id="label of others added"
        ),
        pytest.param(
            actual(ownerReferences=[owner(blockOwnerDeletion=True)]), WRITTEN, Act.UPDATE, True, id="owner edited"
        ),
        pytest.param(actual(ownerReferences=[]), WRITTEN, Act.REFUSE, False, id="nobody's"),
        pytest.param(
            actual(ownerReferences=[owner(kind="Deployment", apiVersion="apps/v1", uid="z")]),
            WRITTEN,
            Act.REFUSE,
            False,
            id="somebody else's",
        ),
        pytest.param(
            actual(ownerReferences=[owner(name="b", uid="z")]), None, Act.REFUSE, False, id="another MixSource's"
        ),
        pytest.param(actual(ownerReferences=[owner(uid="z")]), None, Act.WAIT, False, id="of a former life"),
        pytest.param(actual(deletionTimestamp="2026-11-24T12:00:00Z"), WRITTEN, Act.WAIT, False, id="being deleted"),
    ],
)
def test_decision(there: dict[str, Any] | None, written: Written | None, act: Act, repair: bool) -> None:
    found = decide(WANT, there, written, uid=UID)
    assert (found.act, found.repair) == (act, repair)
    assert bool(found.why) == (act is not Act.KEEP)


def test_a_replacement_keeps_what_others_added() -> None:
    other = owner(kind="App", name="gitops", uid="g", controller=False)
    there = actual(
        labels={"theirs": "1", "app.kubernetes.io/name": "edited"},
        annotations={"note": "keep"},
        finalizers=["others/own"],
        ownerReferences=[owner(blockOwnerDeletion=True), other],
    )
    found = replacement(WANT, there)
    assert found["spec"] == WANT.value["spec"]
    assert found["metadata"] == {
        "name": WANT.name,
        "namespace": "fleet",
        "uid": "c",
        "resourceVersion": "77",
        "labels": {"theirs": "1", **labels("a")},
        "annotations": {"note": "keep"},
        "finalizers": ["others/own"],
        "ownerReferences": [owner(), other],
    }


def test_what_was_written_is_read_from_the_status() -> None:
    status = {"cronJob": {"name": "n", "appliedHash": "h", "generation": 4}}
    assert written_of(status) == Written("n", "h", 4)
    assert written_of({}) is None
