"""The status: what it holds, what is worth a write, and the patch. And which Events a change makes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_operator.conditions import Blocker, compute, with_times
from mixhaul_operator.conditions.finding import JobFacts, Subject
from mixhaul_operator.cronjob_decision import Written
from mixhaul_operator.facts import Away, NotYet, SourceFacts
from mixhaul_operator.status import compose, merge_patch, worth_a_write
from mixhaul_operator.transitions import NORMAL, WARNING, notices
from mixhaul_source.conditions import Reason
from mixhaul_source.status import MixSourceStatus
from support.operator_inputs import CREATED, NOW, ONE, TWO, feed, run, spec_of, subject, well

REFRESH = timedelta(minutes=5)
HOUR = timedelta(hours=1)
AWAY = Away(Reason.DATABASE_UNAVAILABLE, "The database can't be reached.")


def status_of(given_subject: Subject, previous: dict[str, Any] | None = None, *, generation: int = 1) -> dict[str, Any]:
    before = previous or {}
    old = before.get("conditions", [])
    conditions = with_times(compute(given_subject, old), old, generation=generation, now=given_subject.now)
    return compose(
        given_subject,
        before,
        generation=generation,
        conditions=conditions,
        cron_job=Written("mixhaul-sync-a", "abc", 2),
        last_request=None,
    )


def test_whole() -> None:
    found = status_of(subject(well(feeds=(feed(ONE), feed(TWO, lag=5 * timedelta(minutes=1), open_gaps=2)))))
    assert {key: value for key, value in found.items() if key != "conditions"} == {
        "observedGeneration": 1,
        "sync": {"lastSuccessTime": "2026-11-24T05:00:00Z", "nextScheduleTime": "2026-11-25T04:30:00Z"},
        "stream": {"organisations": 2, "openGaps": 2, "cursorTime": "2026-11-24T11:55:00Z"},
        "cronJob": {"name": "mixhaul-sync-a", "appliedHash": "abc", "generation": 2},
    }
    # The model refuses what the CRD would.
    assert MixSourceStatus.model_validate(found).observed_generation == 1


def test_a_new_source_has_little_to_say() -> None:
    found = status_of(subject(SourceFacts(), job=JobFacts()))
    assert set(found) == {"observedGeneration", "conditions", "sync", "cronJob"}
    assert found["sync"] == {"nextScheduleTime": "2026-11-25T04:30:00Z"}


@pytest.mark.parametrize("knowledge", [NotYet(), AWAY], ids=["not yet", "away"])
def test_what_is_not_known_stays(knowledge: Any) -> None:
    before = status_of(subject())
    after = status_of(subject(knowledge=knowledge, job=JobFacts()), before)
    assert (after["stream"], after["sync"]) == (before["stream"], before["sync"])


def test_a_suspended_source_has_no_next_time() -> None:
    assert "nextScheduleTime" not in status_of(subject(spec=spec_of(suspend=True)))["sync"]


def test_a_failed_sync_leaves_the_last_success() -> None:
    before = status_of(subject())
    after = status_of(subject(well(syncs=(run(ago=HOUR, succeeded=False),)), job=JobFacts()), before)
    assert after["sync"]["lastSuccessTime"] == before["sync"]["lastSuccessTime"]


@pytest.mark.parametrize(
    ("later", "changes", "generation", "written"),
    [
        pytest.param(timedelta(0), {}, 1, False, id="nothing"),
        pytest.param(timedelta(minutes=4), {}, 1, False, id="the cursor moved a little"),
        pytest.param(timedelta(minutes=5), {}, 1, True, id="the cursor moved"),
        pytest.param(timedelta(0), {}, 2, True, id="a new generation"),
        pytest.param(timedelta(0), {"spec": spec_of(suspend=True)}, 1, True, id="a condition"),
        pytest.param(timedelta(0), {"knowledge": AWAY}, 1, True, id="the database went away"),
        pytest.param(timedelta(0), {"knowledge": NotYet()}, 1, False, id="a restart"),
    ],
)
def test_worth_a_write(later: timedelta, changes: dict[str, Any], generation: int, written: bool) -> None:
    before = status_of(subject())
    facts = well(feeds=(feed(lag=timedelta(seconds=40) - later), feed(TWO, lag=timedelta(seconds=40) - later)))
    after = status_of(subject(facts, **changes), before, generation=generation)
    assert worth_a_write(before, after, refresh=REFRESH) is written
    assert not worth_a_write(after, after, refresh=REFRESH)


def test_never_refreshed_where_nobody_wants_it() -> None:
    before = status_of(subject())
    after = {**before, "stream": {**before["stream"], "cursorTime": "2026-11-25T12:00:00Z"}}
    assert not worth_a_write(before, after, refresh=timedelta(0))


leaves = st.one_of(st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
objects = st.recursive(
    st.dictionaries(st.sampled_from("abcd"), leaves, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), st.one_of(leaves, inner), max_size=3),
    max_leaves=8,
)


def applied(target: Any, patch: Any) -> Any:
    """RFC 7396, as the API server does it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = applied(found.get(key), value)
    return found


@given(before=objects, after=objects)
def test_the_patch_makes_the_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert _bare(applied(before, merge_patch(before, after))) == _bare(after)
    assert merge_patch(after, after) == {}


def _bare(value: Any) -> Any:
    """Without empty objects, which mean as much as none."""
    if not isinstance(value, dict):
        return value
    inner = {key: _bare(each) for key, each in value.items()}
    return {key: each for key, each in inner.items() if each != {}}


def told(before: Subject | None, after: Subject) -> list[tuple[str, str]]:
    old = [] if before is None else with_times(compute(before, []), [], generation=1, now=CREATED)
    new = with_times(compute(after, old), old, generation=1, now=NOW)
    return [(notice.type, notice.reason) for notice in notices(old, new)]


MISSING = Blocker(Reason.SECRET_MISSING, "The Secret mix is not there.")
NEW = subject(SourceFacts(), created_at=NOW, job=JobFacts())
LAGGING = subject(well(feeds=(feed(lag=2 * HOUR),)))
FAILED = subject(well(syncs=(run(succeeded=False),)))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(None, NEW, [], id="new"),
        pytest.param(NEW, NEW, [], id="nothing changed"),
        pytest.param(NEW, subject(), [(NORMAL, "AllWell")], id="well for the first time"),
        pytest.param(
            None, subject(secret_problem=MISSING), [(WARNING, "SecretMissing")], id="one for three conditions"
        ),
        pytest.param(subject(), LAGGING, [(WARNING, "Lagging")], id="behind"),
        pytest.param(LAGGING, subject(), [(NORMAL, "AllWell"), (NORMAL, "WithinLimit")], id="well again"),
        pytest.param(subject(), subject(knowledge=AWAY), [(WARNING, "DatabaseUnavailable")], id="database away"),
        pytest.param(subject(), subject(spec=spec_of(suspend=True)), [(NORMAL, "Suspended")], id="suspended"),
        pytest.param(
            subject(well(syncs=(run(succeeded=False),)), secret_problem=MISSING),
            FAILED,
            [(NORMAL, "LoginSucceeded")],
            id="Ready repeats what was told",
        ),
    ],
)
def test_events(before: Subject | None, after: Subject, expected: list[tuple[str, str]]) -> None:
    assert told(before, after) == expected
