"""What the chart hands to the programs is what the programs read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from chart.rendering import HERE, VALUES, Container, component, containers, of_kind, rendered
from chart.test_pods import all_objects, the_container
from mixhaul_api.cli import app as api_app
from mixhaul_api.settings import ApiSettings
from mixhaul_ingestor import mounted
from mixhaul_ingestor.cli import app as ingestor_app
from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_operator import cronjob
from mixhaul_operator.cli import app as operator_app
from mixhaul_operator.settings import OperatorSettings
from mixhaul_runtime.settings import MixhaulSettings, is_secret, variable_of

every_values_file = pytest.mark.parametrize("name", VALUES)
PROGRAMS: dict[str, tuple[type[MixhaulSettings], typer.Typer]] = {
    "mixhaul-operator": (OperatorSettings, operator_app),
    "mixhaul-ingestor": (IngestorSettings, ingestor_app),
    "mixhaul-api": (ApiSettings, api_app),
}
# Libraries' own: libpq's, and those that every HTTP client reads.
OTHERS = {"PGSSLMODE", "PGSSLROOTCERT", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"}
FOLDER = "/var/run/secrets/mixhaul/"
DOCUMENTED = set(
    re.findall(r"`(MIXHAUL_\w+)`", (HERE.parents[1] / "docs" / "configuration.md").read_text(encoding="utf-8"))
)


def variables(model: type[MixhaulSettings]) -> set[str]:
    fields = model.model_fields.items()
    return {variable_of(name) for name, _ in fields} | {
        f"{variable_of(name)}_FILE" for name, info in fields if is_secret(info)
    }


def of_programs(name: str) -> list[Container]:
    return [each for each in containers(all_objects(name)) if each.command[0] in PROGRAMS]


@every_values_file
def test_environment_variables_are_those_of_the_settings_models(name: str) -> None:
    seen = set()
    for container in of_programs(name):
        model, _ = PROGRAMS[container.command[0]]
        known = variables(model) | OTHERS
        if container.owner["kind"] == "CronJob":
            assert cronjob.MANIFEST_VARIABLE == mounted.VARIABLE
            known.add(mounted.VARIABLE)
        assert set(container.env) - known == set(), container
        seen |= {each for each in container.env if each.startswith("MIXHAUL_")}
    assert seen - {cronjob.MANIFEST_VARIABLE} <= DOCUMENTED
    assert {"MIXHAUL_DATABASE_URL_FILE", "MIXHAUL_ENCRYPTION_KEYS_FILE", "MIXHAUL_POD_TEMPLATE"} <= seen


@every_values_file
def test_the_programs_take_the_settings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("postgresql://mixhaul@db/mixhaul")
    for container in of_programs(name):
        model, _ = PROGRAMS[container.command[0]]
        with monkeypatch.context() as patched:
            for variable, each in container.env.items():
                value = str(each.get("value", "from-a-field"))
                patched.setenv(variable, str(tmp_path / "file") if value.startswith(FOLDER) else value)
            settings: Any = model()
        assert settings.database_url.get_secret_value() == "postgresql://mixhaul@db/mixhaul"
        if component(container.owner) in ("operator", "ingestor", "api"):
            assert (settings.admin_host, settings.admin_port) == ("0.0.0.0", 8081)  # noqa: S104
        if isinstance(settings, ApiSettings):
            assert settings.api_port == 8080


@every_values_file
def test_commands_and_options_are_the_programs_own(name: str) -> None:
    for container in of_programs(name):
        if container.owner["kind"] == "PodTemplate":
            continue  # the operator adds what it is to do
        _, app = PROGRAMS[container.command[0]]
        group: Any = typer.main.get_command(app)
        words: list[str] = container.command[1:] + container.value["args"]
        name_of_command, *options = words
        command = group.commands[name_of_command]
        # Fails for an option that there isn't. What is required may come from elsewhere.
        command.make_parser(typer.Context(command)).parse_args(options)


@every_values_file
def test_every_file_that_a_variable_names_is_mounted_from_a_secret(name: str) -> None:
    for container in containers(all_objects(name)):
        volumes = {each["name"]: each for each in container.pod["spec"]["volumes"]}
        mounts = container.value["volumeMounts"]
        files = {
            f"{mount['mountPath'].rstrip('/')}/{item['path']}"
            for mount in mounts
            for item in volumes.get(mount["name"], {}).get("secret", {}).get("items", ())
        }
        named = {str(each["value"]) for each in container.env.values() if str(each.get("value")).startswith(FOLDER)}
        assert named <= files, container
        claims = {each["metadata"]["name"] for each in container.owner.get("spec", {}).get("volumeClaimTemplates", ())}
        assert {each["name"] for each in mounts} == set(volumes) | claims, container
        assert {each["mountPath"] for each in mounts if not each.get("readOnly")} <= {"/tmp", "/data"}  # noqa: S108


@every_values_file
def test_no_secret_is_in_the_environment(name: str) -> None:
    for container in containers(all_objects(name)):
        from_secrets = {key for key, each in container.env.items() if "secretKeyRef" in (each.get("valueFrom") or {})}
        assert from_secrets <= {"HTTPS_PROXY", "HTTP_PROXY"}, container


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "try-out",
            dict.fromkeys(("operator", "ingestor", "api", "sync", "migrate"), ("mixhaul-try-out-postgresql", "uri")),
        ),
        ("one-login", dict.fromkeys(("operator", "ingestor", "api", "sync", "migrate"), ("fleet-db-app", "uri"))),
        (
            "four-logins",
            {
                "operator": ("mixhaul-operator", "url"),
                "ingestor": ("mixhaul-writer", "url"),
                "sync": ("mixhaul-writer", "url"),
                "api": ("mixhaul-api", "url"),
                "migrate": ("fleet-db-app", "fqdn-uri"),
            },
        ),
        (
            "everything",
            {
                "operator": ("fleet-db-app", "url"),
                "ingestor": ("mixhaul-writer", "dsn"),
                "sync": ("mixhaul-writer", "dsn"),
                "api": ("fleet-db-app", "url"),
                "migrate": ("fleet-db-app", "url"),
            },
        ),
    ],
)
def test_each_component_has_its_login(name: str, wanted: dict[str, tuple[str, str]]) -> None:
    for who, login in wanted.items():
        volumes = {each["name"]: each for each in the_container(name, who).pod["spec"]["volumes"]}
        secret = volumes["database"]["secret"]
        assert (secret["secretName"], secret["items"][0]["key"]) == login, who


def test_database_tls_is_libpq_s() -> None:
    for who in ("operator", "ingestor", "api", "sync", "migrate"):
        container = the_container("four-logins", who)
        assert container.setting("PGSSLMODE") == "verify-full"
        assert container.setting("PGSSLROOTCERT") == f"{FOLDER}database-ca/ca.crt"


def test_a_proxy_is_for_those_who_go_out_and_never_for_the_cluster() -> None:
    for who in ("ingestor", "api", "sync"):
        container = the_container("everything", who)
        assert container.setting("HTTPS_PROXY") == "http://proxy.example:3128"
        excluded = str(container.setting("NO_PROXY")).split(",")
        assert {"$(KUBERNETES_SERVICE_HOST)", ".svc", "10.0.0.0/8", ".fleet.example"} <= set(excluded)
        assert container.setting("SSL_CERT_FILE") == f"{FOLDER}private-ca/ca.crt"
    assert the_container("everything", "operator").setting("HTTPS_PROXY") is None
    with_password = the_container("little", "ingestor").env["HTTPS_PROXY"]["valueFrom"]["secretKeyRef"]
    assert with_password == {"name": "proxy", "key": "HTTPS_PROXY", "optional": False}


def test_an_extra_variable_replaces_the_chart_s() -> None:
    container = the_container("everything", "ingestor")
    names = [each["name"] for each in container.value["env"]]
    assert len(names) == len(set(names))
    assert container.setting("MIXHAUL_LOG_LEVEL") == "warning"
    assert container.setting("MIXHAUL_LEASE_DURATION_SECONDS") == "30"
    assert the_container("everything", "api").setting("MIXHAUL_LOG_LEVEL") == "debug"


def test_the_operator_finds_its_pod_template_and_its_container() -> None:
    for name in VALUES:
        (template,) = of_kind(rendered(name), "PodTemplate")
        assert the_container(name, "operator").setting("MIXHAUL_POD_TEMPLATE") == template
        assert the_container(name, "sync").value["name"] == cronjob.CONTAINER


def test_names_of_the_operator_s_volumes_are_not_ours() -> None:
    (container,) = (each for each in containers(all_objects("everything")) if each.owner["kind"] == "CronJob")
    mounts = [each["mountPath"] for each in container.value["volumeMounts"]]
    assert len(mounts) == len({each.rstrip("/") for each in mounts})
    assert {cronjob.CREDENTIALS_FOLDER, cronjob.CERTIFICATES_FOLDER} <= set(mounts)
    # Where the ingestor reads them.
    folders = [Path(cronjob.CREDENTIALS_FOLDER), Path(cronjob.CERTIFICATES_FOLDER)]
    assert folders == [mounted.CREDENTIALS, mounted.CERTIFICATES]
