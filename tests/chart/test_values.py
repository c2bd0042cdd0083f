"""The values: closed, described, and none without an effect."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from chart.rendering import CHART, VALUES, template

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema_rs.Draft7Validator(SCHEMA)
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
Keys = tuple[str, ...]


def objects_of(schema: dict[str, Any], keys: Keys = ()) -> Iterator[tuple[Keys, dict[str, Any]]]:
    if schema.get("type") == "object":
        yield keys, schema
        for name, part in schema.get("properties", {}).items():
            yield from objects_of(part, (*keys, name))


def leaves(values: dict[str, Any], keys: Keys = ()) -> Iterator[Keys]:
    for key, value in values.items():
        if isinstance(value, dict) and value and at(DEFAULTS, (*keys, key)) not in ({}, None):
            yield from leaves(value, (*keys, key))
        else:
            yield (*keys, key)


def at(values: Any, keys: Keys) -> Any:
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def without(values: dict[str, Any], keys: Keys) -> dict[str, Any]:
    found = copy.deepcopy(values)
    parent = at(found, keys[:-1])
    del parent[keys[-1]]
    return found


@pytest.mark.parametrize("keys", [".".join(keys) for keys, _ in objects_of(SCHEMA) if keys != ("global",)])
def test_a_key_that_is_not_known_is_refused_everywhere(keys: str) -> None:
    values: dict[str, Any] = {}
    place = values
    for key in keys.split(".") if keys else ():
        place = place.setdefault(key, {})
    place["unheardOf"] = 1
    (error,) = VALIDATOR.iter_errors(values)
    assert "'unheardOf' was unexpected" in error.message


def test_the_defaults_satisfy_the_schema() -> None:
    assert list(VALIDATOR.iter_errors(DEFAULTS)) == []


def test_no_value_is_without_an_effect(tmp_path: Path) -> None:
    """Each value that a file sets is taken out in turn: something else must be rendered, or nothing at all."""
    cases = [
        (name, keys)
        for name in ("everything", "four-logins", "little", "try-out-large", "try-out-without-volume")
        for keys in leaves(read(name))
    ]

    def changes(case: tuple[str, Keys]) -> bool:
        name, keys = case
        path = tmp_path / f"{name}-{'.'.join(keys)}.yaml"
        path.write_text(yaml.safe_dump(without(read(name), keys)), encoding="utf-8")
        done = template(path)
        return done.returncode != 0 or stable(done.stdout) != stable(whole[name])

    whole = {name: template(VALUES[name]).stdout for name in {name for name, _ in cases}}
    with ThreadPoolExecutor(2) as pool:
        changed = list(pool.map(changes, cases))
    assert [case for case, has in zip(cases, changed, strict=True) if not has] == []


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(VALUES[name].read_text(encoding="utf-8"))
    return found


def stable(text: str) -> list[str]:
    """Without what is made anew each time."""
    return [each for each in text.split("\n---\n") if "\nkind: Secret\n" not in each]


def test_every_value_is_set_by_some_file() -> None:
    """So that what the other tests say is said of each."""
    used = {keys for name in VALUES for keys in leaves(read(name))}
    everywhere = set(leaves(DEFAULTS))
    missing = {
        keys for keys in everywhere if not any(keys[: len(each)] == each or each[: len(keys)] == keys for each in used)
    }
    assert {keys for keys in missing if not is_repeated(keys)} == set()


def is_repeated(keys: Keys) -> bool:
    """What each component has; the helpers are the same for all, so some components stand for the others."""
    shared = {"nodeSelector", "tolerations", "affinity", "priorityClassName", "podLabels", "podAnnotations", "extraEnv"}
    return bool(shared & set(keys)) or "serviceAccount" in keys or "resources" in keys
