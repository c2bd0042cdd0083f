"""What a person does about each reason: one sentence each, for the documentation and nothing else."""

from __future__ import annotations

from typing import Final

from mixhaul_source.conditions import Reason

ADVICE: Final[dict[Reason, str]] = {
    Reason.ALL_WELL: "Nothing.",
    Reason.SUSPENDED: "Nothing, or set `spec.suspend` to false; within 7 days, or the feed's position is lost.",
    Reason.NOT_READY_YET: "Wait for the first sync and the first page; the message says which is missing.",
    Reason.UP_TO_DATE: "Nothing.",
    Reason.PROGRESSING: "Wait: it is tried again by itself. If it stays, see the operator's log.",
    Reason.DELETING: "Wait: after 60 seconds the object goes in any case.",
    Reason.NOT_STALLED: "Nothing.",
    Reason.INVALID_SPEC: "Correct the field that the message names.",
    Reason.FOREIGN_CRON_JOB: "Rename or remove that CronJob, or give the MixSource another name.",
    Reason.POD_TEMPLATE_MISSING: "Run `helm upgrade`, which makes the PodTemplate again.",
    Reason.LOGIN_SUCCEEDED: "Nothing.",
    Reason.LOGIN_PENDING: "Wait for a worker to log in; if it stays, see that ingestor pods run and are ready.",
    Reason.LOGIN_REFUSED: "Correct the Secret. The new values are used at once, without a restart.",
    Reason.SECRET_MISSING: "Make the Secret in the namespace of the MixSource.",
    Reason.SECRET_INCOMPLETE: "Add or correct the key that the message names.",
    Reason.ORGANISATION_FORBIDDEN: "Ask MiX to give the user these organisations, or take their ids out of the spec.",
    Reason.SYNC_SUCCEEDED: "Nothing.",
    Reason.SYNC_PENDING: "Wait for the schedule, or request a sync.",
    Reason.SYNC_FAILED: "See the message, and the log and Events of the last Job's pod; then request a sync.",
    Reason.SHORT_LIST: "Nothing, if the fleet did shrink; otherwise ask MiX why its list is short.",
    Reason.SYNC_OVERDUE: "See the Events of the CronJob, whether Jobs are made and why not.",
    Reason.ORGANISATION_CLAIMED: "Take the id out of one of the two MixSources.",
    Reason.WITHIN_LIMIT: "Nothing.",
    Reason.LAGGING: "Wait if it shrinks. If it grows, the organisation makes more than 20 calls a minute can bring.",
    Reason.NOT_POLLED: "Wait for the first page; if it stays, see that an ingestor pod leads.",
    Reason.PAGE_REFUSED: "Tell MiX which page; it is asked for again, smaller, until it comes.",
    Reason.CURSOR_EXPIRING: "Act today: remove what keeps the feed from moving, which the other conditions name.",
    Reason.CURSOR_EXPIRED: "Wait for the backfill, which `status.stream.openGaps` counts.",
    Reason.UPSTREAM_UNAVAILABLE: "See MiX's status, the proxy and the network policies; it goes on by itself.",
    Reason.UPSTREAM_THROTTLED: "See who else uses the login: MiX counts their calls too.",
    Reason.NO_MORE_ITEMS: "Nothing.",
    Reason.MORE_ITEMS: "Wait; `Fresh` says when it takes too long.",
    Reason.EVENTS_MISSING: "Request verify=FROM/TO; docs/completeness.md tells what the table reconciliations says.",
    Reason.GAP_OPEN: "Wait; history comes more slowly than the feed, which goes first.",
    Reason.DATABASE_UNAVAILABLE: "See the database and the operator's Secret. CronJobs are kept right meanwhile.",
    Reason.SCHEMA_TOO_OLD: "See the migration: `kubectl get jobs` has its name, `kubectl logs job/NAME` its reason.",
}
