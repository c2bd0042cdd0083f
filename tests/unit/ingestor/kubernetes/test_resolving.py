"""From the API server's objects to a source, or the sentence that says what it waits for."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from mixhaul_ingestor.kubernetes.errors import SecretAbsent, SecretUnusable, SourceWaits, SpecUnusable
from mixhaul_ingestor.kubernetes.resolving import fingerprint, resolve
from mixhaul_ingestor.source_set import streams_alike
from mixhaul_source.manifest import Source
from support.certificates import Authority

LOGIN = {"clientID": "id", "clientSecret": "hush-1", "username": "fleet@example.com", "password": "hush-2"}


def source(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "mixhaul.io/v1alpha1",
        "kind": "MixSource",
        "metadata": {"name": "a", "namespace": "fleet", "uid": "u-1", "generation": 3, "managedFields": []},
        "spec": {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}, **spec},
        "status": {"observedGeneration": -1, "unknown": True},
    }


def secret(values: dict[str, str], *, version: str = "1") -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"metadata": {"name": "mix", "resourceVersion": version}, "data": data}


def no_file(_: str) -> Path:
    raise AssertionError("there are no certificates")


def resolved(value: dict[str, Any], secrets: dict[str, dict[str, Any]]) -> Source | SourceWaits:
    return resolve(value, secrets, file_of=no_file)


def test_a_source_is_made_of_both() -> None:
    found = resolved(source(organisationIDs=["-9007199254740993"]), {"mix": secret(LOGIN)})
    assert isinstance(found, Source)
    assert (found.key, found.uid, found.spec.organisation_ids) == ("fleet/a", "u-1", (-9007199254740993,))
    assert found.credentials.client_secret.get_secret_value() == "hush-1"


@pytest.mark.parametrize(
    ("value", "secrets", "kind", "sentence"),
    [
        pytest.param(
            source(),
            {},
            SecretAbsent,
            "MixSource fleet/a: spec.secretRef.name names the Secret mix, which is not in its namespace: create it",
            id="no Secret",
        ),
        pytest.param(
            source(endpoint={"dataCentre": "eu", "caSecretRef": {"name": "ca", "key": "ca.crt"}}),
            {"mix": secret(LOGIN)},
            SecretAbsent,
            "MixSource fleet/a: spec.endpoint.caSecretRef.name names the Secret ca, which is not in its namespace: "
            "create it",
            id="no CA",
        ),
        pytest.param(
            source(),
            {"mix": secret({**LOGIN, "password": ""})},
            SecretUnusable,
            "MixSource fleet/a: Secret fleet/mix, key 'password': is empty: give it a value",
            id="an empty value",
        ),
        pytest.param(
            source(),
            {"mix": {"metadata": {"name": "mix"}}},
            SecretUnusable,
            "MixSource fleet/a: Secret fleet/mix, key 'clientID': is missing: add it under data (base64) or "
            "stringData (plain)",
            id="an empty Secret",
        ),
        pytest.param(
            source(stream={"pageSize": 2000, "warp": 9}),
            {"mix": secret(LOGIN)},
            SpecUnusable,
            "MixSource fleet/a: spec.stream.pageSize: 2000 is more than 1000, which is the limit; also "
            "spec.stream.warp: ",
            id="a spec of another release",
        ),
    ],
)
def test_a_source_waits_with_the_reason(
    value: dict[str, Any], secrets: dict[str, dict[str, Any]], kind: type[SourceWaits], sentence: str
) -> None:
    found = resolved(value, secrets)
    assert type(found) is kind
    assert str(found).startswith(sentence)
    assert "hush" not in str(found)


def test_certificates_go_into_a_file(tmp_path: Path) -> None:
    pem = Authority(tmp_path).ca_file.read_text(encoding="ascii").strip()
    asked = []

    def file_of(text: str) -> Path:
        asked.append(text)
        return Path("/ca.pem")

    value = source(endpoint={"dataCentre": "eu", "caSecretRef": {"name": "ca", "key": "tls.crt"}})
    secrets = {"mix": secret(LOGIN), "ca": secret({"tls.crt": pem})}
    found = resolve(value, secrets, file_of=file_of)
    assert isinstance(found, Source)
    assert found.ca_file == Path("/ca.pem")
    assert asked == [pem]
    broken = resolve(value, {**secrets, "ca": secret({"tls.crt": "no PEM"})}, file_of=file_of)
    assert isinstance(broken, SecretUnusable)
    assert "holds no PEM certificates" in str(broken)


def test_status_and_annotations_do_not_change_the_fingerprint() -> None:
    secrets = {"mix": secret(LOGIN), "other": secret({})}
    before = fingerprint(source(), secrets)
    other = source()
    other["status"] = {"observedGeneration": 3}
    other["metadata"]["annotations"] = {"mixhaul.io/request": "sync"}
    assert fingerprint(other, {**secrets, "other": secret({}, version="2")}) == before
    for changed, given in (
        (source() | {"metadata": {**source()["metadata"], "generation": 4}}, secrets),
        (source() | {"metadata": {**source()["metadata"], "uid": "u-2"}}, secrets),
        (source(), {"mix": secret(LOGIN, version="2")}),
        (source(), {}),
    ):
        assert fingerprint(changed, given) != before


@pytest.mark.parametrize(
    ("spec", "login", "alike"),
    [
        pytest.param({}, LOGIN, True, id="the same"),
        pytest.param({"sync": {"schedule": "5 5 * * *"}}, LOGIN, True, id="another schedule"),
        pytest.param({"retention": {"eventDays": 9}}, LOGIN, True, id="another retention"),
        pytest.param({"deletionPolicy": "Delete"}, LOGIN, True, id="another end"),
        pytest.param({"suspend": True}, LOGIN, False, id="suspended"),
        pytest.param({"stream": {"pageSize": 10}}, LOGIN, False, id="another page size"),
        pytest.param({"organisationIDs": ["7"]}, LOGIN, False, id="another organisation"),
        pytest.param({}, {**LOGIN, "password": "hush-3"}, False, id="another password"),
        pytest.param({}, {**LOGIN, "clientID": "id-2"}, False, id="another client"),
    ],
)
def test_a_feed_is_disturbed_only_by_what_concerns_it(spec: dict[str, Any], login: dict[str, str], alike: bool) -> None:
    one, other = resolved(source(), {"mix": secret(LOGIN)}), resolved(source(**spec), {"mix": secret(login)})
    assert isinstance(one, Source)
    assert isinstance(other, Source)
    assert streams_alike(one, other) is alike
