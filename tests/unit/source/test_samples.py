"""Every sample of the documentation is read; every bad one is refused with the sentence that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from mixhaul_source import crd, manifest
from mixhaul_source.errors import ManifestError

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"
GOOD = sorted(SAMPLES.glob("*.yaml"))
BAD = sorted((SAMPLES / "bad").glob("*.yaml"))


def without_keywords_of_kubernetes(schema: Any) -> Any:
    """The CRD's schema as JSON Schema knows it: Kubernetes' own keywords mean nothing there."""
    if isinstance(schema, dict):
        return {k: without_keywords_of_kubernetes(v) for k, v in schema.items() if not k.startswith("x-kubernetes-")}
    return schema


def test_there_are_samples() -> None:
    assert (len(GOOD) >= 4, len(BAD) >= 30) == (True, True)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_sample_is_read_and_fits_the_crd(path: Path) -> None:
    assert manifest.load(path)

    schema = without_keywords_of_kubernetes(crd.open_api_schema())
    for document in yaml.safe_load_all(path.read_text()):
        if document["kind"] == "MixSource":
            jsonschema_rs.Draft4Validator(schema).validate(document)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_sample_is_refused_with_the_sentence_that_it_names(path: Path) -> None:
    text = path.read_text()
    (expected,) = [line.removeprefix("# expect: ") for line in text.splitlines() if line.startswith("# expect: ")]
    with pytest.raises(ManifestError) as caught:
        manifest.load(path)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    for secret in ("replace-me", "99887766"):
        assert secret not in str(caught.value)


def test_the_full_sample_says_each_field_of_the_spec_but_the_urls() -> None:
    (source,) = manifest.load(SAMPLES / "full.yaml")
    given = yaml.safe_load((SAMPLES / "full.yaml").read_text().split("---")[0])["spec"]
    schema = crd.open_api_schema()["properties"]["spec"]["properties"]
    absent = {
        f"{part}.{name}"
        for part, sub in schema.items()
        for name in sub.get("properties", {"": None})
        if (name and name not in given.get(part, {})) or part not in given
    }
    assert absent == {"endpoint.apiURL", "endpoint.identityURL", "endpoint.caSecretRef"}
    assert source.spec.organisation_ids == (1234567890123456789, -987654321098765432)
    assert source.spec.model_dump(mode="json", by_alias=True, exclude_none=True) == given
