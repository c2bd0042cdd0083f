"""`CredentialsValid`: what the workers found out about the Secret."""

from __future__ import annotations

from mixhaul_operator.conditions.finding import Finding, Subject, finding
from mixhaul_operator.conditions.wording import listed
from mixhaul_operator.facts import Known, SourceFacts, Trouble
from mixhaul_source.conditions import ConditionType, Reason

_TYPE = ConditionType.CREDENTIALS_VALID


def credentials_valid(subject: Subject) -> Finding | None:
    """None: nothing new is known, the condition stays as it is."""
    if subject.secret_problem is not None:
        return finding(_TYPE, subject.secret_problem.reason, subject.secret_problem.message)
    if not isinstance(subject.knowledge, Known):
        return None
    facts = subject.knowledge.facts
    if _refused(subject, facts):
        return finding(_TYPE, Reason.LOGIN_REFUSED, _refusal(facts))
    forbidden = [feed.organisation for feed in facts.feeds if feed.trouble is Trouble.FORBIDDEN]
    if forbidden:
        message = f"The login works, but may not see {listed(forbidden)}; the others go on."
        return finding(_TYPE, Reason.ORGANISATION_FORBIDDEN, message)
    if facts.login.accepted or any(feed.last_poll_at is not None for feed in facts.feeds):
        return finding(_TYPE, Reason.LOGIN_SUCCEEDED)
    return finding(_TYPE, Reason.LOGIN_PENDING)


def _refused(subject: Subject, facts: SourceFacts) -> bool:
    """A refusal of a Secret that was changed since then says nothing about the new values."""
    at = facts.login.refused_at
    if at is None:
        return False
    return subject.secret_changed_at is None or subject.secret_changed_at <= at


def _refusal(facts: SourceFacts) -> str:
    said = f" ({facts.login.refused_error})" if facts.login.refused_error else ""
    return (
        f"The identity server refused the credentials{said}. Correct the Secret: nobody tries these values again for "
        "an hour, so that the account isn't locked."
    )
