"""The bad samples that an API server can't refuse: the operator says what is wrong, as the sample has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.operator.bed import Bed, Operator, until
from cluster.paths import HERE

_SAYS = "# cluster: accepted; Stalled says "
SAMPLES = {
    path: line.removeprefix(_SAYS)
    for path in sorted((HERE.parents[1] / "docs" / "samples" / "bad").glob("*.yaml"))
    for line in path.read_text(encoding="utf-8").splitlines()
    if line.startswith(_SAYS)
}


def put(bed: Bed, document: dict[str, Any], name: str) -> None:
    """In the test's namespace, where each sample has names of its own; a Secret that is elsewhere stays away."""
    plural = {"MixSource": "mixsources", "Secret": "secrets"}[document["kind"]]
    document["metadata"] = {"name": name if plural == "mixsources" else f"{document['metadata']['name']}-{name}"}
    if plural == "mixsources":
        document["spec"]["secretRef"]["name"] += f"-{name}"
    bed.plane.request("POST", bed.path(plural), document)


def test_the_operator_says_what_the_api_server_cannot_see(bed: Bed, operator: Operator) -> None:
    assert len(SAMPLES) >= 8
    for path in SAMPLES:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        namespaces = {document["metadata"].get("namespace") for document in documents}
        for document in documents:
            if len(namespaces) == 1 or document["kind"] == "MixSource":
                put(bed, document, path.stem)
    for path, reason in SAMPLES.items():
        until(lambda path=path, reason=reason: bed.condition(path.stem, "Stalled")[:2] == ("True", reason))
        assert bed.condition(path.stem, "Ready")[:2] == ("False", reason)


@pytest.mark.parametrize("path", [path for path, reason in SAMPLES.items() if reason == "InvalidSpec"])
def test_a_spec_is_blamed_in_the_words_of_the_file_reader(bed: Bed, operator: Operator, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    expected = text.splitlines()[0].removeprefix("# expect: MixSource default/fleet: ")
    put(bed, next(iter(yaml.safe_load_all(text))), path.stem)
    assert expected in until(lambda: bed.condition(path.stem, "Stalled")[2])
