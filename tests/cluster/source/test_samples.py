"""Every sample on the real API server: the good ones apply, the bad ones are refused with what they expect.

A bad sample's `# expect:` is the standalone manifest's sentence, its `# cluster:` a part of what kubectl shows, or
`accepted; ...` for what no API server can see. `tests/cluster/operator/test_samples.py` holds the operator to those
that it must notice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.acts import make_namespace
from cluster.controlplane import ControlPlane
from cluster.errors import CommandFailed
from cluster.paths import HERE

SAMPLES = HERE.parents[1] / "docs" / "samples"
GOOD = sorted(SAMPLES.glob("*.yaml"))
BAD = sorted((SAMPLES / "bad").glob("*.yaml"))


def apply(plane: ControlPlane, path: Path, namespace: str) -> str:
    """As a person does; a sample that names a namespace gets it."""
    text = path.read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("  namespace: ") and plane.get(f"/api/v1/namespaces/{line.split()[1]}") is None:
            make_namespace(plane, line.split()[1])
    where = () if "\n  namespace: " in text else ("--namespace", namespace)
    return plane.kubectl("apply", "--server-side", "--validate=strict", "--filename", str(path), *where)


def expectation(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    (found,) = [line.removeprefix("# cluster: ") for line in lines if line.startswith("# cluster: ")]
    return found


def contains(stored: Any, given: Any) -> bool:
    """Whether all that was given is stored as it was."""
    if isinstance(given, dict):
        return isinstance(stored, dict) and all(contains(stored.get(key), value) for key, value in given.items())
    return bool(stored == given)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_sample_applies_and_is_stored_as_written(plane: ControlPlane, namespace: str, path: Path) -> None:
    said = apply(plane, path, namespace)
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    assert said.count("serverside-applied") == len(documents)
    for document in documents:
        if document["kind"] != "MixSource":
            continue
        where, name = document["metadata"].get("namespace", namespace), document["metadata"]["name"]
        stored = plane.request("GET", f"/apis/mixhaul.io/v1alpha1/namespaces/{where}/mixsources/{name}")
        assert contains(stored["spec"], document["spec"])


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_sample_is_refused_with_what_it_expects(plane: ControlPlane, namespace: str, path: Path) -> None:
    expected = expectation(path)
    if expected.startswith("accepted; "):
        assert "serverside-applied" in apply(plane, path, namespace)
        return
    with pytest.raises(CommandFailed) as caught:
        apply(plane, path, namespace)
    assert expected in caught.value.output
