"""What the chart renders under many values: valid objects, or a sentence."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest

from chart import rendering
from chart.rendering import NAMESPACE, NEWEST, OLDEST, REFUSED, VALUES, rendered
from mixhaul_source.model import MixSource

# Kinds of others, which kubernetes-validate has no schema of.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}

every_values_file = pytest.mark.parametrize("name", VALUES)


@every_values_file
@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
def test_every_object_is_valid(name: str, kubernetes: str) -> None:
    for each in rendered(name, kubernetes):
        if each["kind"] == "MixSource":
            MixSource.model_validate(each)
        elif each["kind"] not in FOREIGN:
            kubernetes_validate.validate(each, kubernetes.removesuffix(".0"), strict=True)


@every_values_file
def test_helm_lint_has_nothing_to_say(name: str) -> None:
    done = rendering.run("lint", "--strict", str(rendering.CHART), "--values", str(VALUES[name]))
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


@every_values_file
def test_names_are_unique_and_everything_is_in_the_release_s_namespace(name: str) -> None:
    objects = rendered(name)
    keys = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(keys) == len(set(keys))
    assert {each["metadata"].get("namespace", NAMESPACE) for each in objects} == {NAMESPACE}
    assert {each["kind"] for each in objects} & {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
    } == set()
    assert [key for key in keys if len(key[1]) > 63] == []


@every_values_file
def test_every_object_says_whose_it_is(name: str) -> None:
    for each in rendered(name):
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "mixhaul"
        assert labels["app.kubernetes.io/instance"] == "mixhaul"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"] == "mixhaul-0.1.0"


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_is_refused_with_a_sentence(name: str) -> None:
    sentence = REFUSED[name].read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    done = rendering.template(REFUSED[name])
    assert done.returncode != 0
    assert sentence in done.stderr


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("{}")
    said = rendering.template(tmp_path / "values.yaml").stderr
    assert said.count("\n- ") == 3
    assert "mixhaul can't be installed like this:" in said


def test_kubernetes_before_1_27_is_refused() -> None:
    done = rendering.template(VALUES["try-out"], kubernetes="1.26.9")
    assert done.returncode != 0
    assert "kubeVersion: >=1.27.0-0" in done.stderr


@pytest.mark.parametrize(
    ("release", "wanted"),
    [
        ("mixhaul", "mixhaul-api"),
        ("mixhaul-eu", "mixhaul-eu-api"),
        ("fleet", "fleet-mixhaul-api"),
        ("123", "123-mixhaul-api"),
        ("a-very-long-name-of-a-release-that-helm-still-takes12", "a-very-long-name-of-a-release-th-mixhaul-api"),
    ],
)
def test_names_come_from_the_release(release: str, wanted: str) -> None:
    done = rendering.run("template", release, str(rendering.CHART), "--values", str(VALUES["try-out"]))
    assert done.returncode == 0, done.stderr
    assert f"\n  name: {wanted}\n" in done.stdout
    if release == "123":
        assert 'app.kubernetes.io/instance: "123"' in done.stdout
        assert "app.kubernetes.io/instance: 123" not in done.stdout


def test_nothing_secret_is_rendered_but_by_the_try_out() -> None:
    for name in VALUES:
        secrets = set(rendering.of_kind(rendered(name), "Secret"))
        assert secrets == ({"mixhaul-try-out-postgresql"} if name.startswith("try-out") else set())
