"""What the operator keeps of the cluster: the newest version, whatever order things come in."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from mixhaul_operator.secret_state import login_digest, state_of
from mixhaul_operator.world import World
from support.operator_inputs import source

VALUES = {"clientID": "c", "clientSecret": "hush-1", "username": "me@example.com", "password": "pw-1"}


def secret(values: dict[str, str | None] | None = None, *, name: str = "mix", version: int = 1) -> dict[str, Any]:
    data = {
        key: base64.b64encode(value.encode()).decode()
        for key, value in {**VALUES, **(values or {})}.items()
        if value is not None
    }
    return {
        "metadata": {
            "name": name,
            "namespace": "fleet",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-01T00:00:00Z",
            "managedFields": [{"time": "2026-11-20T10:00:00Z"}, {"manager": "x"}],
        },
        "data": data,
    }


def at(version: int, name: str = "a", **changes: Any) -> dict[str, Any]:
    return source(name, resourceVersion=str(version), **changes)


def test_a_late_event_brings_nothing_old_back() -> None:
    world = World()
    assert world.put_source(at(5))
    assert not world.put_source(at(4))
    assert not world.put_source(at(5))
    assert world.put_source(at(6))
    assert not world.drop_source(at(3))
    assert world.sources.get("a") is not None
    assert world.drop_source(at(7))
    assert not world.drop_source(at(7))
    assert world.sources.get("a") is None


def test_a_name_used_again_is_new() -> None:
    world = World()
    world.put_source(at(5))
    world.drop_source(at(6))
    assert world.put_source(at(7, uid="other"))


def test_a_list_finds_what_was_missed_and_leaves_what_is_newer() -> None:
    world = World()
    for each in (at(1, "same"), at(2, "gone"), at(3, "older"), at(30, "newer")):
        world.put_source(each)
    changed = world.replace_sources([at(1, "same"), at(9, "older"), at(10, "new")], version="20")
    assert changed == {"gone", "older", "new"}
    assert sorted(world.sources.names()) == ["new", "newer", "older", "same"]


def test_managed_fields_are_not_kept() -> None:
    world = World()
    world.put_source(at(1, managedFields=[{"manager": "x"}]))
    kept = world.sources.get("a")
    assert kept is not None
    assert "managedFields" not in kept["metadata"]


@pytest.mark.parametrize(
    ("owner", "name", "concerned"),
    [
        pytest.param("a", "mixhaul-sync-a", {"a"}, id="ours"),
        pytest.param(None, "mixhaul-sync-a", {"a"}, id="somebody's of our name"),
        pytest.param("b", "mixhaul-sync-a", {"a", "b"}, id="another's of our name"),
        pytest.param("gone", "other", set(), id="of a source that is gone"),
        pytest.param(None, "other", set(), id="nobody's"),
    ],
)
def test_whom_a_cron_job_concerns(owner: str | None, name: str, concerned: set[str]) -> None:
    world = World()
    world.put_source(at(1, "a"))
    world.put_source(at(1, "b"))
    references = [{"kind": "MixSource", "name": owner}] if owner else []
    assert world.concerned({"metadata": {"name": name, "ownerReferences": references}}) == concerned


def test_whom_a_secret_concerns() -> None:
    world = World()
    world.put_source(at(1, "a"))
    certificate = {"endpoint": {"dataCentre": "eu", "caSecretRef": {"name": "ca"}}, "secretRef": {"name": "other"}}
    world.put_source(source("b", spec=certificate, resourceVersion="1"))
    assert world.sources_with_secret("mix") == ["a"]
    assert world.sources_with_secret("ca") == ["b"]
    assert world.sources_with_secret("helm") == []


def test_a_good_secret() -> None:
    found = state_of(secret())
    assert found.problem is None
    assert found.login == login_digest("c", "me@example.com")
    assert found.changed_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert found.keys == frozenset(VALUES)


def test_no_value_is_kept() -> None:
    text = repr(state_of(secret()))
    encoded = [base64.b64encode(value.encode()).decode() for value in VALUES.values() if len(value) > 1]
    assert not [value for value in (*list(VALUES.values())[1:], *encoded) if value in text]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"password": None}, "'password': is missing", id="missing"),
        pytest.param({"password": None, "username": None}, "'username': is missing", id="two missing"),
        pytest.param({"clientID": ""}, "is empty", id="empty"),
        pytest.param({"password": "a\nb"}, "line break", id="line break"),
    ],
)
def test_what_is_wrong_with_a_secret(values: dict[str, str | None], words: str) -> None:
    found = state_of(secret(values))
    assert found.problem is not None
    assert words in found.problem
    assert "fleet/mix" not in found.problem
    assert found.login is None


def test_no_base64_is_said_without_the_value() -> None:
    broken = secret()
    broken["data"]["password"] = "%%not-base64%%"
    found = state_of(broken)
    assert found.problem is not None
    assert "base64" in found.problem
    assert "not-base64" not in found.problem


def test_the_digest_changes_with_the_values_only() -> None:
    assert state_of(secret(version=1)).digest == state_of(secret(version=2)).digest
    assert state_of(secret({"password": "pw-2"})).digest != state_of(secret()).digest
    assert state_of(secret({"password": "pw-2"})).login == state_of(secret()).login
