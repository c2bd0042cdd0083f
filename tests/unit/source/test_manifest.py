"""What a manifest gives, and what it may look like."""

from __future__ import annotations

import base64
import os
import ssl
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mixhaul_source import errors, manifest
from mixhaul_source.errors import (
    ManifestError,
    ManifestIncomplete,
    ManifestNotYaml,
    ManifestUnreadable,
    MixSourceInvalid,
    SecretInvalid,
)
from mixhaul_source.manifest import Source

SOURCE = """
apiVersion: mixhaul.io/v1alpha1
kind: MixSource
metadata: {name: fleet}
spec:
  endpoint: {dataCentre: eu}
  secretRef: {name: mix}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: mix}
stringData: {clientID: app, clientSecret: "s3cr3t-one", username: me@fleet.example, password: "s3cr3t two"}
"""


def parse(*documents: str) -> list[Source]:
    return manifest.parse("\n---\n".join(documents), file="fleet.yaml")


def error_of(*documents: str) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        parse(*documents)
    return caught.value


def test_the_smallest_manifest_has_every_default() -> None:
    (source,) = parse(SOURCE, SECRET)
    assert (source.name, source.namespace, source.key) == ("fleet", "default", "default/fleet")
    assert source.api_url == "https://integrate.eu.mixtelematics.com"
    assert source.identity_url == "https://identity.eu.mixtelematics.com/core"
    assert source.ca_file is None
    assert source.spec.model_dump(by_alias=True, exclude={"endpoint", "secret_ref"}) == {
        "organisationIDs": (),
        "suspend": False,
        "sync": {"schedule": "30 4 * * *", "timeZone": "Etc/UTC"},
        "stream": {"startFrom": "Oldest", "periodSeconds": 30, "pageSize": 1000},
        "rateLimit": {"requestsPerMinute": 20, "pauseSeconds": 30},
        "retention": {"eventDays": None, "rawDays": None},
        "deletionPolicy": "Retain",
    }


def test_credentials_are_read_and_hidden() -> None:
    (source,) = parse(SOURCE, SECRET)
    login = source.credentials
    assert (login.client_id, login.username) == ("app", "me@fleet.example")
    assert login.client_secret.get_secret_value() == "s3cr3t-one"
    assert login.password.get_secret_value() == "s3cr3t two"
    for hidden in ("s3cr3t", "me@fleet.example"):
        assert hidden not in repr(source)


def test_the_secret_may_stand_first_and_string_data_is_stronger_than_data() -> None:
    data = base64.b64encode(b"of-data\n").decode()
    secret = SECRET.replace("stringData", f"data: {{username: {data}, password: {data}}}\nstringData").replace(
        "username: me@fleet.example, ", ""
    )
    (source,) = parse(secret, SOURCE)
    assert source.credentials.username == "of-data"
    assert source.credentials.password.get_secret_value() == "s3cr3t two"


def test_the_uid_is_the_api_servers_or_always_the_same_one() -> None:
    (exported,) = parse(SOURCE.replace("{name: fleet}", "{name: fleet, uid: 1-2-3, resourceVersion: '7'}"), SECRET)
    (first,), (again,) = parse(SOURCE, SECRET), parse(SOURCE, SECRET)
    (other,) = parse(SOURCE.replace("name: fleet", "name: other"), SECRET)
    assert exported.uid == "1-2-3"
    assert first.uid == again.uid != other.uid


def test_an_exported_object_with_its_status_is_read() -> None:
    (source,) = parse(SOURCE + "status: {observedGeneration: 3, somethingNew: [1]}\n", SECRET)
    assert source.key == "default/fleet"


def test_lists_are_read_as_their_items() -> None:
    def items(text: str) -> str:
        return "\n".join("  " + line for line in text.strip().splitlines()).replace("  ", "- ", 1)

    listed = f"apiVersion: v1\nkind: List\nitems:\n{items(SOURCE)}\n{items(SECRET)}\n"
    assert [source.key for source in parse(listed)] == ["default/fleet"]
    broken = error_of(listed.replace("dataCentre: eu", "dataCentre: xx"))
    assert (broken.place.line, type(broken)) == (8, MixSourceInvalid)


def test_other_kinds_are_left_out_with_a_warning() -> None:
    with capture_logs() as logs:
        parse("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}", SOURCE, "", SECRET, "# only a comment")
    assert logs == [
        {
            "event": "a document is left out: neither MixSource nor Secret",
            "kind": "ConfigMap",
            "place": "fleet.yaml, line 1",
            "log_level": "warning",
        }
    ]


def test_all_wrong_fields_are_named_in_the_order_of_the_file() -> None:
    wrong = SOURCE.replace("{name: mix}", "{nam: mix}") + "  stream:\n    pageSize: 0\n    periodSeconds: 1.5\n"
    caught = error_of(wrong, SECRET)
    assert isinstance(caught, MixSourceInvalid)
    assert [(problem.line, str(problem)) for problem in caught.problems] == [
        (7, "spec.secretRef.name: is missing: add it"),
        (7, "spec.secretRef.nam: is no field of a MixSource: did you mean name?"),
        (9, "spec.stream.pageSize: 0 is less than 1, which is the limit"),
        (10, "spec.stream.periodSeconds: 1.5 is not a whole number"),
    ]
    assert str(caught).startswith("fleet.yaml, line 7: MixSource default/fleet: spec.secretRef.name: is missing")


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("suspend: yes please", "spec.suspend: 'yes please' is not true or false"),
        ("suspend: null", "spec.suspend: nothing (null) is not true or false"),
        ('stream: {pageSize: "10"}', "spec.stream.pageSize: '10' is not a whole number: leave out the quotes"),
        ("stream: {pageSize: true}", "spec.stream.pageSize: true is not a whole number"),
        ("stream: [1]", "spec.stream: a list is not a mapping of fields"),
        ("stream: {startFrom: 20261101}", "spec.stream.startFrom: 20261101 is not a text: put it in quotes"),
        ("organisationIDs: {a: b}", "spec.organisationIDs: a mapping is not a list"),
        ("organisationIDs: [1.5e18]", "a YAML number with a fraction or exponent: write the id's digits in quotes"),
        ("organisationIDs: [null]", "as a decimal string without plus sign or leading zeros, in quotes"),
        ("organisationIDs: [12345678901234567890123]", 'put it in quotes, as "12345678901234567890123"'),
        ("organisationIDs: ['']", "spec.organisationIDs[0]: '' is no id"),
        ("retention: {eventDays: 0}", "spec.retention.eventDays: 0 is less than 1, which is the limit"),
        ("rateLimit: {requestsPerMinute: 0}", "spec.rateLimit.requestsPerMinute: 0 is less than 1"),
        ("sync: {timeZone: america/sao_paulo}", "is no time zone: did you mean America/Sao_Paulo?"),
        ("sync: {timeZone: ../../etc/passwd}", "is no time zone"),
        ("sync: {schedule: '@daily'}", "'@daily' is no schedule: it must be a cron line of five fields"),
        ("sync: {schedule: '0 0 * * 7'}", "is no schedule: it must be a cron line of five fields"),
        ("data_centre: eu", "spec.data_centre: is no field of a MixSource"),
    ],
)
def test_a_wrong_field_is_one_sentence(field: str, sentence: str) -> None:
    caught = error_of(SOURCE + f"  {field}\n", SECRET)
    assert type(caught) is MixSourceInvalid
    assert sentence in str(caught)
    assert caught.place.line == 8


@pytest.mark.parametrize("date", ["2026-11-01", '"2026-11-01"', "2026-11-01T00:00:00Z", "2026-10-31T21:00:00.0-03:00"])
def test_a_date_may_stand_with_or_without_quotes(date: str) -> None:
    (source,) = parse(SOURCE + f"  stream: {{startFrom: {date}}}\n", SECRET)
    assert source.spec.stream.start_time == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("word", ["Oldest", "Now"])
def test_a_word_as_the_start_is_no_time(word: str) -> None:
    (source,) = parse(SOURCE + f"  stream: {{startFrom: {word}}}\n", SECRET)
    assert (source.spec.stream.start_from, source.spec.stream.start_time) == (word, None)


def test_insecure_permits_what_simulators_need() -> None:
    endpoint = "{apiURL: 'HTTP://LocalHost:80/mix/', identityURL: 'http://[::1]:8600/core', insecure: true}"
    fast = "  stream: {periodSeconds: 1}\n  rateLimit: {pauseSeconds: 0, requestsPerMinute: 6000}\n"
    (source,) = parse(SOURCE.replace("{dataCentre: eu}", endpoint) + fast, SECRET)
    assert (source.api_url, source.identity_url) == ("http://localhost:80/mix", "http://[::1]:8600/core")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("just text", "this is no Kubernetes object: it must be a mapping with apiVersion and kind"),
        ("[1, 2]", "this is no Kubernetes object"),
        ("kind: MixSource", "this object has no apiVersion: add it, as in apiVersion: mixhaul.io/v1alpha1"),
        ("apiVersion: mixhaul.io/v1alpha1", "this object has no kind: add it, as in kind: MixSource"),
        ("apiVersion: mixhaul.io/v1alpha1\nkind: MixSorce", "mixhaul.io/v1alpha1 MixSorce is unknown"),
        ("", "it holds no MixSource"),
    ],
)
def test_a_document_that_is_something_else(document: str, sentence: str) -> None:
    caught = error_of(document)
    assert type(caught) is ManifestIncomplete
    assert sentence in str(caught)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("metadata: {name: mix}", "metadata: {}"), "metadata.name is missing"),
        (("stringData: {", "stringData: [1]\nx: {"), "stringData must be a mapping of keys to texts"),
        (('"s3cr3t two"', '"s3cr3t\\ntwo"'), "key 'password': holds a line break or another control character"),
        (('"s3cr3t two"', "' '"), "key 'password': is empty: give it a value"),
        (('"s3cr3t two"', "null"), "key 'password': is empty: give it a value"),
        (('password: "s3cr3t two"', "x: y}\ndata: {password: //5zM2NyM3Q="), "key 'password': is no UTF-8 text"),
        (('password: "s3cr3t two"', "x: y}\ndata: {password: s3cr3t"), "key 'password': is no base64"),
    ],
)
def test_a_secret_that_cant_be_used_is_a_sentence_without_its_value(change: tuple[str, str], sentence: str) -> None:
    caught = error_of(SOURCE, SECRET.replace(*change))
    assert type(caught) is SecretInvalid
    assert sentence in str(caught)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught)).replace("s3cr3t-one", "")
    assert "fleet.yaml" in str(caught)


def test_a_private_ca_becomes_a_file_that_tls_can_read(certificate: str) -> None:
    source_text = SOURCE.replace("dataCentre: eu", "dataCentre: eu, caSecretRef: {name: ca}")
    pem = "\n".join("    " + line for line in certificate.splitlines())
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: ca}}\nstringData:\n  ca.crt: |\n{pem}\n"
    (source,) = parse(source_text, SECRET, secret)
    assert source.ca_file is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=source.ca_file)
    assert len(context.get_ca_certs()) == 1
    source.ca_file.unlink()

    caught = error_of(source_text, SECRET, secret.replace("BEGIN", "BEG"))
    assert "Secret default/ca, key 'ca.crt': holds no PEM certificates" in str(caught)
    assert "spec.endpoint.caSecretRef.name names the Secret 'ca'" in str(error_of(source_text, SECRET))


def test_files_that_cant_be_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    huge.write_bytes(b"")
    os.truncate(huge, 5 * 1024 * 1024)
    for path, reason in (
        (tmp_path / "nope.yaml", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (huge, "it is larger than 4 MiB"),
    ):
        with pytest.raises(ManifestUnreadable, match=reason) as caught:
            manifest.load(path)
        assert str(caught.value).startswith(str(path))


def test_a_file_that_is_no_utf8_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(SECRET.encode() + b"# senha-secreta\nx: S\xe3o Paulo\n")
    with pytest.raises(ManifestNotYaml, match=r"line 7, column 5: .*it is no UTF-8 text: save it as UTF-8") as caught:
        manifest.load(path)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + f"{SOURCE}---{SECRET}".replace("\n", "\r\n").encode())
    assert [source.key for source in manifest.load(path)] == ["default/fleet"]


def test_each_kind_of_error_has_an_exit_code_of_its_own() -> None:
    kinds = ManifestError.__subclasses__()
    assert {kind.__name__ for kind in kinds} == {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ManifestError)
    } - {"ManifestError"}
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    assert all(64 <= kind.exit_code < 126 for kind in kinds)
