"""Every condition as a table: what is known, and what is said about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mixhaul_operator.conditions import Blocker, Finding, Subject, compute, with_times
from mixhaul_operator.conditions.caught_up import caught_up
from mixhaul_operator.conditions.credentials import credentials_valid
from mixhaul_operator.conditions.finding import JobFacts
from mixhaul_operator.conditions.fresh import fresh
from mixhaul_operator.conditions.synced import synced
from mixhaul_operator.facts import Away, LoginFacts, NotYet, SourceFacts, Trouble
from mixhaul_source.conditions import CONDITIONS, ConditionType, Reason
from support.operator_inputs import CREATED, NOW, ONE, TWO, claim, failing, feed, run, spec_of, subject, well

AWAY = Away(Reason.DATABASE_UNAVAILABLE, "The database can't be reached.")
MISSING = Blocker(Reason.SECRET_MISSING, "The Secret mix is not there.")
FOREIGN = Blocker(Reason.FOREIGN_CRON_JOB, "The CronJob is somebody else's.")
SUSPENDED = spec_of(suspend=True)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def case(name: str, given: Subject, reason: Reason, words: str = "") -> Any:
    return pytest.param(given, reason, words, id=name)


def check(found: Finding | None, reason: Reason, words: str) -> None:
    assert found is not None
    assert (found.reason, found.status) == (reason, CONDITIONS[found.type].reasons[reason].status)
    assert words in found.message


@pytest.mark.parametrize(
    ("given", "reason", "words"),
    [
        case("accepted", subject(), Reason.LOGIN_SUCCEEDED),
        case("nobody tried", subject(SourceFacts()), Reason.LOGIN_PENDING),
        case("polled, row not matched", subject(well(login=LoginFacts())), Reason.LOGIN_SUCCEEDED),
        case("no Secret", subject(secret_problem=MISSING), Reason.SECRET_MISSING, "not there"),
        case("no Secret, no database", subject(secret_problem=MISSING, knowledge=AWAY), Reason.SECRET_MISSING),
        case(
            "refused",
            subject(well(login=LoginFacts(refused_at=NOW - HOUR, refused_error="invalid_grant"))),
            Reason.LOGIN_REFUSED,
            "invalid_grant",
        ),
        case(
            "refused, Secret changed since",
            subject(SourceFacts(login=LoginFacts(refused_at=NOW - HOUR)), secret_changed_at=NOW),
            Reason.LOGIN_PENDING,
        ),
        case(
            "refused, Secret older",
            subject(well(login=LoginFacts(refused_at=NOW - HOUR)), secret_changed_at=NOW - DAY),
            Reason.LOGIN_REFUSED,
        ),
        case(
            "one organisation forbidden",
            subject(well(feeds=(failing(Trouble.FORBIDDEN), feed(TWO)))),
            Reason.ORGANISATION_FORBIDDEN,
            "organisation 101 (Frota Sul)",
        ),
    ],
)
def test_credentials(given: Subject, reason: Reason, words: str) -> None:
    check(credentials_valid(given), reason, words)


@pytest.mark.parametrize(
    ("given", "reason", "words"),
    [
        case("all well", subject(), Reason.SYNC_SUCCEEDED),
        case("suspended", subject(spec=SUSPENDED), Reason.SUSPENDED),
        case("new", subject(SourceFacts(), created_at=NOW, job=JobFacts()), Reason.SYNC_PENDING),
        case("never, and old", subject(SourceFacts(), job=JobFacts()), Reason.SYNC_OVERDUE, "no Job was ever started"),
        case("one run missed", subject(well(syncs=(run(ago=31 * HOUR),))), Reason.SYNC_SUCCEEDED),
        case("two runs missed", subject(well(syncs=(run(ago=32 * HOUR),))), Reason.SYNC_OVERDUE, "Two runs"),
        case(
            "the oldest organisation decides",
            subject(well(syncs=(run(ONE), run(TWO, ago=40 * HOUR)))),
            Reason.SYNC_OVERDUE,
        ),
        case(
            "failed for one",
            subject(well(syncs=(run(ONE), run(TWO, succeeded=False, error="drivers: status 500")))),
            Reason.SYNC_FAILED,
            "organisation 102 (Frota Norte): drivers: status 500",
        ),
        case(
            "failed as a whole",
            subject(well(syncs=(run(None, succeeded=False, error="organisations: no connection"),))),
            Reason.SYNC_FAILED,
            "failed: organisations: no connection",
        ),
        case(
            "the Job never came to the database",
            subject(SourceFacts(), job=JobFacts(scheduled_at=NOW - HOUR)),
            Reason.SYNC_FAILED,
            "due at 2026-11-24T11:00:00Z",
        ),
        case(
            "the Job runs still",
            subject(SourceFacts(), created_at=NOW, job=JobFacts(scheduled_at=NOW - HOUR, running=True)),
            Reason.SYNC_PENDING,
        ),
        case(
            "the Job failed, a later run went well",
            subject(well(syncs=(run(ago=timedelta(minutes=5)),)), job=JobFacts(scheduled_at=NOW - HOUR)),
            Reason.SYNC_SUCCEEDED,
        ),
        case(
            "claimed",
            subject(well(claims=(claim(),))),
            Reason.ORGANISATION_CLAIMED,
            "Organisation 101 (Frota Sul) is hauled by MixSource fleet/b, which claimed it first; fleet/a goes on",
        ),
        case(
            "a short list",
            subject(well(syncs=(run(short_lists=("drivers: 0 of 41", "sites: 1 of 9")),))),
            Reason.SHORT_LIST,
            "before: drivers: 0 of 41 rows of organisation 101 (Frota Sul) and sites: 1 of 9 rows of organisation 101",
        ),
        case(
            "a short list of a run that failed",
            subject(well(syncs=(run(short_lists=("drivers: 0 of 41",), succeeded=False, error="no"),))),
            Reason.SYNC_FAILED,
        ),
    ],
)
def test_synced(given: Subject, reason: Reason, words: str) -> None:
    check(synced(given), reason, words)


@pytest.mark.parametrize(
    ("given", "reason", "words"),
    [
        case("all well", subject(), Reason.WITHIN_LIMIT),
        case("suspended", subject(spec=SUSPENDED), Reason.SUSPENDED),
        case("no feed", subject(SourceFacts()), Reason.NOT_POLLED),
        case(
            "one has not begun",
            subject(well(feeds=(feed(), feed(TWO, position=None, last_poll_at=None)))),
            Reason.NOT_POLLED,
            "102",
        ),
        case("at the limit", subject(well(feeds=(feed(lag=timedelta(minutes=10)),))), Reason.WITHIN_LIMIT),
        case(
            "behind",
            subject(well(feeds=(feed(), feed(TWO, lag=2 * HOUR)))),
            Reason.LAGGING,
            "Organisation 102 (Frota Norte): more than an hour behind.",
        ),
        case(
            "asks seldom",
            subject(well(feeds=(feed(lag=2 * HOUR),)), spec=spec_of(stream={"periodSeconds": 3600})),
            Reason.WITHIN_LIMIT,
        ),
        case("one error", subject(well(feeds=(feed(consecutive_errors=1),))), Reason.WITHIN_LIMIT),
        case(
            "errors, still fresh", subject(well(feeds=(failing(Trouble.UPSTREAM, lag=HOUR / 60),))), Reason.WITHIN_LIMIT
        ),
        case(
            "MiX is down",
            subject(well(feeds=(failing(Trouble.UPSTREAM, error="status 503"),))),
            Reason.UPSTREAM_UNAVAILABLE,
            "status 503",
        ),
        case("throttled", subject(well(feeds=(failing(Trouble.THROTTLED),))), Reason.UPSTREAM_THROTTLED),
        case("a page does not come", subject(well(feeds=(failing(Trouble.PAGE),))), Reason.PAGE_REFUSED),
        case(
            "never got through",
            subject(
                well(feeds=(feed(position=None, last_poll_at=None, consecutive_errors=3, trouble=Trouble.UPSTREAM),))
            ),
            Reason.UPSTREAM_UNAVAILABLE,
        ),
        case("expiring", subject(well(feeds=(feed(lag=6 * DAY + HOUR),))), Reason.CURSOR_EXPIRING, "7 days"),
        case(
            "expiring, with errors",
            subject(well(feeds=(failing(Trouble.UPSTREAM, lag=6.5 * DAY),))),
            Reason.CURSOR_EXPIRING,
        ),
        case("expired", subject(well(feeds=(feed(lag=8 * DAY),))), Reason.CURSOR_EXPIRED),
        case("token refused", subject(well(feeds=(failing(Trouble.TOKEN_EXPIRED),))), Reason.CURSOR_EXPIRED),
        case(
            "the worst decides",
            subject(well(feeds=(feed(lag=2 * HOUR), feed(TWO, lag=8 * DAY)))),
            Reason.CURSOR_EXPIRED,
        ),
    ],
)
def test_fresh(given: Subject, reason: Reason, words: str) -> None:
    check(fresh(given), reason, words)


@pytest.mark.parametrize(
    ("given", "reason", "words"),
    [
        case("all well", subject(), Reason.NO_MORE_ITEMS),
        case("suspended", subject(spec=SUSPENDED), Reason.SUSPENDED),
        case("never", subject(SourceFacts()), Reason.NOT_POLLED),
        case("busy, but not behind", subject(well(feeds=(feed(has_more=True),))), Reason.NO_MORE_ITEMS),
        case("behind", subject(well(feeds=(feed(TWO, has_more=True, lag=HOUR),))), Reason.MORE_ITEMS, "102"),
        case("never said so", subject(well(feeds=(feed(has_more=True, caught_up_at=None),))), Reason.MORE_ITEMS),
        case("a gap", subject(well(feeds=(feed(open_gaps=2),))), Reason.GAP_OPEN, "101"),
        case("missing", subject(well(feeds=(feed(missing_events=2),))), Reason.EVENTS_MISSING, "organisation 101"),
    ],
)
def test_caught_up(given: Subject, reason: Reason, words: str) -> None:
    check(caught_up(given), reason, words)


@pytest.mark.parametrize("decide", [credentials_valid, synced, fresh, caught_up])
@pytest.mark.parametrize("knowledge", [NotYet(), AWAY], ids=["not yet", "away"])
def test_nothing_new_is_nothing_said(decide: Any, knowledge: Any) -> None:
    assert decide(subject(knowledge=knowledge)) is None


def conditions(given: Subject, previous: list[dict[str, Any]] | None = None) -> dict[str, tuple[str, str]]:
    return {found.type: (found.status, str(found.reason)) for found in compute(given, previous or [])}


@pytest.mark.parametrize(
    ("given", "ready", "reconciling", "stalled"),
    [
        pytest.param(subject(), ("True", "AllWell"), ("False", "UpToDate"), ("False", "NotStalled"), id="all well"),
        pytest.param(
            subject(spec=SUSPENDED),
            ("False", "Suspended"),
            ("False", "Suspended"),
            ("False", "NotStalled"),
            id="suspended",
        ),
        pytest.param(
            subject(blocker=FOREIGN),
            ("False", "ForeignCronJob"),
            ("False", "UpToDate"),
            ("True", "ForeignCronJob"),
            id="foreign",
        ),
        pytest.param(
            subject(secret_problem=MISSING),
            ("False", "SecretMissing"),
            ("False", "UpToDate"),
            ("True", "SecretMissing"),
            id="no Secret",
        ),
        pytest.param(
            subject(secret_problem=MISSING, spec=SUSPENDED),
            ("False", "SecretMissing"),
            ("False", "Suspended"),
            ("True", "SecretMissing"),
            id="no Secret and suspended",
        ),
        pytest.param(
            subject(unfinished="The CronJob could not be written.", has_cron_job=False),
            ("False", "NotReadyYet"),
            ("True", "Progressing"),
            ("False", "NotStalled"),
            id="CronJob not written",
        ),
        pytest.param(
            subject(unfinished="The CronJob could not be written."),
            ("True", "AllWell"),
            ("True", "Progressing"),
            ("False", "NotStalled"),
            id="CronJob not updated",
        ),
        pytest.param(
            subject(deleting="Waits."),
            ("False", "NotReadyYet"),
            ("True", "Deleting"),
            ("False", "NotStalled"),
            id="deleting",
        ),
        pytest.param(
            subject(knowledge=AWAY),
            ("Unknown", "DatabaseUnavailable"),
            ("False", "UpToDate"),
            ("False", "NotStalled"),
            id="database away",
        ),
        pytest.param(
            subject(SourceFacts(), created_at=NOW, job=JobFacts()),
            ("False", "NotReadyYet"),
            ("False", "UpToDate"),
            ("False", "NotStalled"),
            id="new",
        ),
        pytest.param(
            subject(well(feeds=(feed(has_more=True, caught_up_at=None, open_gaps=1),))),
            ("True", "AllWell"),
            ("False", "UpToDate"),
            ("False", "NotStalled"),
            id="a gap is filled, new data is fresh",
        ),
        pytest.param(
            subject(well(feeds=(feed(lag=2 * HOUR),), syncs=(run(succeeded=False),))),
            ("False", "SyncFailed"),
            ("False", "UpToDate"),
            ("False", "NotStalled"),
            id="the first thing wrong",
        ),
    ],
)
def test_summary(
    given: Subject, ready: tuple[str, str], reconciling: tuple[str, str], stalled: tuple[str, str]
) -> None:
    found = conditions(given)
    assert list(found)[:3] == ["Ready", "Reconciling", "Stalled"]
    assert (found["Ready"], found["Reconciling"], found["Stalled"]) == (ready, reconciling, stalled)


def test_an_away_database_is_unknown_and_a_late_one_changes_nothing() -> None:
    before = with_times(compute(subject(), []), [], generation=1, now=CREATED)
    away = conditions(subject(knowledge=AWAY), before)
    assert {away[kind] for kind in ("Ready", "CredentialsValid", "Synced", "Fresh", "CaughtUp")} == {
        ("Unknown", "DatabaseUnavailable")
    }
    assert conditions(subject(knowledge=NotYet()), before) == conditions(subject())


def test_what_is_decided_here_is_not_kept() -> None:
    before = with_times(compute(subject(spec=SUSPENDED, secret_problem=MISSING), []), [], generation=1, now=CREATED)
    found = conditions(subject(knowledge=NotYet()), before)
    assert (found["CredentialsValid"], found["Fresh"]) == (("Unknown", "LoginPending"), ("Unknown", "NotPolled"))


def test_a_reason_of_another_version_is_not_kept() -> None:
    before = [{"type": "Fresh", "status": "True", "reason": "Unheard", "message": "", "lastTransitionTime": "x"}]
    assert conditions(subject(knowledge=NotYet()), before)["Fresh"] == ("Unknown", "NotPolled")


def test_times_move_with_the_status_only() -> None:
    first = with_times(compute(subject(), []), [], generation=1, now=CREATED)
    assert {each["lastTransitionTime"] for each in first} == {"2026-10-25T12:00:00Z"}
    lagging = subject(well(feeds=(feed(lag=2 * HOUR),)))
    second = {each["type"]: each for each in with_times(compute(lagging, first), first, generation=2, now=NOW)}
    assert second["Fresh"]["lastTransitionTime"] == second["Ready"]["lastTransitionTime"] == "2026-11-24T12:00:00Z"
    assert second["Synced"]["lastTransitionTime"] == "2026-10-25T12:00:00Z"
    assert {each["observedGeneration"] for each in second.values()} == {2}


def test_messages_hold_nothing_that_runs() -> None:
    def messages(later: timedelta) -> list[str]:
        slow = feed(lag=2 * HOUR)
        return [found.message for found in compute(subject(well(feeds=(slow,)), now=NOW + later), [])]

    assert messages(timedelta(0)) == messages(timedelta(minutes=7))


def test_every_kind_is_said_once() -> None:
    assert sorted(conditions(subject())) == sorted(ConditionType)
