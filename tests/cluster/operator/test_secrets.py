"""The Secret of a MixSource: missing, incomplete, corrected, changed, shared; noticed by watch."""

from __future__ import annotations

import pytest

from cluster.operator.bed import CREDENTIALS, Bed, Operator, settled, until


@pytest.mark.usefixtures("operator")
def test_missing_then_made(bed: Bed) -> None:
    bed.make_source("a", secretRef={"name": "later"})
    assert until(lambda: bed.condition("a", "CredentialsValid")[:2] == ("False", "SecretMissing"))
    assert bed.condition("a", "Ready")[1] == "SecretMissing"
    assert bed.condition("a", "Stalled")[:2] == ("True", "SecretMissing")
    assert "later" in bed.condition("a", "Ready")[2]
    bed.make_secret("later")
    assert until(lambda: bed.condition("a", "Stalled")[:2] == ("False", "NotStalled"))
    assert bed.condition("a", "CredentialsValid")[:2] == ("Unknown", "LoginPending")
    assert len(bed.events("SecretMissing")) == 1


@pytest.mark.usefixtures("operator")
def test_incomplete_then_corrected_then_deleted(bed: Bed) -> None:
    bed.make_secret(values={key: value for key, value in CREDENTIALS.items() if key != "password"})
    bed.make_source("a")
    assert until(lambda: bed.condition("a", "CredentialsValid")[:2] == ("False", "SecretIncomplete"))
    assert "'password': is missing" in bed.condition("a", "CredentialsValid")[2]
    bed.make_secret()
    assert until(lambda: bed.condition("a", "Stalled")[1] == "NotStalled")
    bed.delete("secrets", "mix")
    assert until(lambda: bed.condition("a", "Stalled")[1] == "SecretMissing")


@pytest.mark.usefixtures("operator")
def test_shared_by_sources(bed: Bed) -> None:
    names = ["a", "b", "c"]
    for name in names:
        bed.make_source(name)
    bed.delete("secrets", "mix")
    for name in names:
        assert until(lambda name=name: bed.condition(name, "Stalled")[1] == "SecretMissing")
    bed.make_secret()
    for name in names:
        assert until(lambda name=name: bed.condition(name, "Stalled")[1] == "NotStalled")


def test_no_value_of_it_leaves_the_operator(bed: Bed, operator: Operator) -> None:
    bed.make_secret(values={**CREDENTIALS, "password": "line\nbreak-in-the-password"})
    bed.make_source("a")
    assert until(lambda: bed.condition("a", "Stalled")[1] == "SecretIncomplete")
    bed.make_secret()
    assert until(lambda: settled(bed, "a") and bed.condition("a", "Stalled")[1] == "NotStalled")
    shown = (
        operator.log() + operator.get("/metrics")[1] + str(bed.source("a")) + str(bed.get("cronjobs", "mixhaul-sync-a"))
    )
    shown += str(bed.plane.request("GET", bed.path("events")))
    assert not [
        value for value in (*CREDENTIALS.values(), "break-in-the-password") if value in shown and len(value) > 6
    ]


@pytest.mark.usefixtures("operator")
def test_the_authority_too(bed: Bed) -> None:
    bed.make_source(
        "a",
        endpoint={
            "apiURL": "https://mix.example",
            "identityURL": "https://identity.example",
            "caSecretRef": {"name": "ca"},
        },
    )
    assert until(lambda: bed.condition("a", "Stalled")[1] == "SecretMissing")
    assert "caSecretRef" in bed.condition("a", "Stalled")[2]
    bed.make_secret("ca", {"root.pem": "x"})
    assert until(lambda: bed.condition("a", "Stalled")[1] == "SecretIncomplete")
    bed.make_secret("ca", {"ca.crt": "x"})
    assert until(lambda: bed.condition("a", "Stalled")[1] == "NotStalled")
