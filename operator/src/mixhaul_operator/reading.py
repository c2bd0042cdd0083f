"""From the database's rows to the facts of one source. Pure.

What a feed's last error comes down to is told by the name of its class; a test holds every error class of the client
against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from mixhaul_mix.since import token_time
from mixhaul_operator.facts import (
    Claim,
    FeedFacts,
    LoginFacts,
    Organisation,
    RequestFacts,
    SourceFacts,
    SyncFacts,
    Trouble,
)
from mixhaul_operator.secret_state import login_digest
from mixhaul_source.model import MixSourceSpec
from mixhaul_store.observation import Conflict, LoginState, RequestState, WholeRun
from mixhaul_store.progress import FeedProgress
from mixhaul_store.totals import Total

_OF_KIND: Final = {
    "Throttled": Trouble.THROTTLED,
    "OrganisationForbidden": Trouble.FORBIDDEN,
    "CredentialsRejected": Trouble.REFUSED_LOGIN,
    "ClientRejected": Trouble.REFUSED_LOGIN,
    "TokenExpired": Trouble.TOKEN_EXPIRED,
    "PageInvalid": Trouble.PAGE,
    "RequestRejected": Trouble.PAGE,
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One reading of everything, arranged for looking up."""

    at: datetime
    feeds: Mapping[str, Sequence[FeedProgress]] = field(default_factory=dict)
    owners: Mapping[tuple[str, int], FeedProgress] = field(default_factory=dict)
    logins: Mapping[tuple[str, str], LoginState] = field(default_factory=dict)
    whole_runs: Mapping[str, WholeRun] = field(default_factory=dict)
    requests: Mapping[str, Mapping[str, RequestFacts]] = field(default_factory=dict)
    totals: Sequence[Total] = ()
    conflicts: Sequence[Conflict] = ()


def snapshot(
    *,
    at: datetime,
    progress: Sequence[FeedProgress],
    logins: Sequence[LoginState],
    whole_runs: Sequence[WholeRun],
    requests: Sequence[RequestState],
    totals: Sequence[Total],
    conflicts: Sequence[Conflict] = (),
) -> Snapshot:
    """Arrange what was read. User names are kept as hashes only."""
    feeds: dict[str, list[FeedProgress]] = {}
    for row in progress:
        feeds.setdefault(row.source, []).append(row)
    answers: dict[str, dict[str, RequestFacts]] = {}
    for each in requests:
        answers.setdefault(each.source, {})[each.request_id] = RequestFacts(
            request_id=each.request_id,
            state=each.state,
            message=each.message,
            requested_at=each.requested_at,
            finished_at=each.finished_at,
        )
    return Snapshot(
        at=at,
        feeds=feeds,
        owners={(row.api_url, row.organisation): row for row in progress},
        logins={(each.identity_url, login_digest(each.client_id, each.username)): each for each in logins},
        whole_runs={each.source: each for each in whole_runs},
        requests=answers,
        totals=tuple(totals),
        conflicts=tuple(conflicts),
    )


def facts_of(found: Snapshot, *, key: str, spec: MixSourceSpec, login: str | None) -> SourceFacts:
    """Of one source; `login` is its Secret's (see `secret_state`). Those it no longer names don't count."""
    wanted = frozenset(spec.organisation_ids)
    rows = [row for row in found.feeds.get(key, ()) if not wanted or row.organisation in wanted]
    urls = spec.endpoint.urls
    # What the workers met; of those that the spec names nobody needs to have met anything.
    claims = {
        each.organisation: Claim(Organisation(each.organisation, each.name), each.owner)
        for each in found.conflicts
        if each.source == key and each.api_url == urls.api and (not wanted or each.organisation in wanted)
    }
    for number in wanted:
        owner = found.owners.get((urls.api, number))
        if owner is not None and owner.source != key:
            claims[number] = Claim(Organisation(number, owner.name), owner.source)
    state = found.logins.get((urls.identity, login)) if login is not None else None
    return SourceFacts(
        feeds=tuple(_feed(row, now=found.at) for row in rows),
        syncs=tuple(_syncs(rows, found.whole_runs.get(key))),
        login=LoginFacts()
        if state is None
        else LoginFacts(accepted=state.accepted, refused_at=state.refused_at, refused_error=state.refused_error),
        claims=tuple(claims[number] for number in sorted(claims)),
        requests=found.requests.get(key, {}),
    )


def trouble_of(kind: str | None) -> Trouble | None:
    """What an error of the client's class of this name comes down to."""
    return None if kind is None else _OF_KIND.get(kind, Trouble.UPSTREAM)


def position(row: FeedProgress, *, now: datetime) -> datetime | None:
    """The creation time up to which a feed has been read: that of the last poll where nothing more was there."""
    if row.has_more is False and row.last_poll_at is not None:
        return row.last_poll_at
    if row.token is None:
        return None
    read = token_time(row.token)
    if read is None or read > now + timedelta(days=1):
        return row.token_received_at
    return read


def _feed(row: FeedProgress, *, now: datetime) -> FeedFacts:
    return FeedFacts(
        organisation=Organisation(row.organisation, row.name),
        position=position(row, now=now),
        last_poll_at=row.last_poll_at,
        caught_up_at=row.caught_up_at,
        has_more=row.has_more,
        consecutive_errors=row.consecutive_errors,
        last_error=row.last_error if row.consecutive_errors else None,
        trouble=trouble_of(row.last_error_kind) if row.consecutive_errors else None,
        open_gaps=row.open_gaps,
        missing_events=row.missing_events,
    )


def _syncs(rows: Sequence[FeedProgress], whole: WholeRun | None) -> list[SyncFacts]:
    """The last run of each organisation; a later one that failed before it came to any counts for all."""
    found = {
        row.organisation: SyncFacts(
            organisation=Organisation(row.organisation, row.name),
            at=row.last_sync_at,
            succeeded=row.last_sync_result == "succeeded",
            error=row.last_sync_error,
            short_lists=tuple(row.short_lists),
        )
        for row in rows
        if row.last_sync_at is not None
    }
    latest = max((each.at for each in found.values()), default=None)
    if whole is not None and not whole.succeeded and (latest is None or whole.finished_at > latest):
        return [
            SyncFacts(organisation=None, at=whole.finished_at, succeeded=False, error=whole.error),
        ]
    return list(found.values())
