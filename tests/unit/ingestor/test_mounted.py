"""The sync pod's manifest: from the variable that the operator writes, with the Secret's files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mixhaul_ingestor import mounted
from mixhaul_ingestor.errors import ManifestNotGiven, exit_code
from mixhaul_operator import cronjob
from mixhaul_source.errors import MixSourceInvalid, SecretInvalid
from support.certificates import Authority

UID = "6f1c9a4e-0000-4000-8000-000000000001"
LOGIN = {"clientID": "id", "clientSecret": "hush: {1}", "username": "fleet@example.com", "password": "hush-2\n"}


def variable(**spec: Any) -> dict[str, str]:
    """As the operator writes it."""
    metadata = {"name": "a", "namespace": "fleet", "uid": UID}
    spec = {"endpoint": {"dataCentre": "eu"}, "secretRef": {"name": "mix"}, "organisationIDs": ["7"], **spec}
    return {cronjob.MANIFEST_VARIABLE: cronjob.manifest_of({"metadata": metadata, "spec": spec})}


def files(folder: Path, values: dict[str, str]) -> Path:
    """As kubelet mounts a Secret: links into a folder with a date."""
    data = folder / "..2026_11_24"
    data.mkdir(parents=True)
    (folder / "..data").symlink_to(data.name)
    for key, value in values.items():
        (data / key).write_text(value)
        (folder / key).symlink_to(f"..data/{key}")
    return folder


def test_places_are_those_of_the_operator() -> None:
    assert mounted.VARIABLE == cronjob.MANIFEST_VARIABLE
    assert Path(cronjob.CREDENTIALS_FOLDER) == mounted.CREDENTIALS
    assert Path(cronjob.CERTIFICATES_FOLDER) == mounted.CERTIFICATES


@pytest.mark.parametrize("same", [False, True], ids=["a Secret of its own", "the same Secret"])
def test_a_source_with_its_login_and_its_ca(tmp_path: Path, same: bool) -> None:
    pem = Authority(tmp_path).ca_file.read_text(encoding="ascii").strip()
    login, ca = files(tmp_path / "mix", LOGIN), files(tmp_path / "ca", {"ca.crt": pem})
    reference = {"name": "mix" if same else "corporate", "key": "ca.crt"}
    environment = variable(endpoint={"dataCentre": "eu", "caSecretRef": reference})
    (found,) = mounted.load(environment, credentials=login, certificates=ca)
    assert (found.key, found.uid, found.spec.organisation_ids) == ("fleet/a", UID, (7,))
    assert found.credentials.client_secret.get_secret_value() == LOGIN["clientSecret"]
    assert found.credentials.password.get_secret_value() == "hush-2"
    assert found.ca_file is not None
    assert found.ca_file.read_text(encoding="ascii") == pem


def test_what_is_missing_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(SecretInvalid, match=r"Secret fleet/mix, key 'clientID': is missing"):
        mounted.load(variable(), credentials=tmp_path / "nowhere", certificates=tmp_path / "nowhere")
    login = files(tmp_path / "mix", {key: value for key, value in LOGIN.items() if key != "password"})
    with pytest.raises(SecretInvalid, match=r"key 'password'") as caught:
        mounted.load(variable(), credentials=login, certificates=tmp_path / "nowhere")
    assert "hush" not in str(caught.value)


def test_a_spec_that_cannot_be_used_is_said_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(MixSourceInvalid, match=r"MIXHAUL_MANIFEST, line \d+: .*pageSize"):
        mounted.load(variable(stream={"pageSize": 5000}), credentials=tmp_path, certificates=tmp_path)


def test_without_the_variable_it_says_which(tmp_path: Path) -> None:
    with pytest.raises(ManifestNotGiven, match="MIXHAUL_MANIFEST is not set") as caught:
        mounted.load({}, credentials=tmp_path, certificates=tmp_path)
    assert exit_code(caught.value) == 78
