-- What MiX says later of what it said before: amendments, and whether everything is there that it has.

CREATE TABLE amendments (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint      NOT NULL REFERENCES organisations ON DELETE CASCADE,
    external_id     bigint      NOT NULL,
    amendment_type  text        NOT NULL,
    amended_at      timestamptz,
    new_driver_external_id bigint,
    extra           jsonb,
    raw_page_id     bigint      NOT NULL,
    observed_at     timestamptz NOT NULL,
    -- Also finds those of an event. The same one comes each day for a week, and not always in the same bytes.
    UNIQUE NULLS NOT DISTINCT (organisation_id, external_id, amendment_type, amended_at, new_driver_external_id)
);
COMMENT ON TABLE amendments IS 'Every amendment that ever came, once: which events count against nobody or somebody else. The latest of an event decides telemetry_events.driver_external_id.';
COMMENT ON COLUMN amendments.id IS 'Our own number.';
COMMENT ON COLUMN amendments.organisation_id IS 'The organisation: organisations.id, not MiX''s own id.';
COMMENT ON COLUMN amendments.external_id IS 'MiX: EventId. The event may come later, or never.';
COMMENT ON COLUMN amendments.amendment_type IS 'QuarantinedEvent: counts against nobody; ReassignedEvent: against new_driver_external_id. Another text is kept as it came and decides nothing.';
COMMENT ON COLUMN amendments.amended_at IS 'MiX: AmendmentDate. Null, where it names none, counts as the oldest.';
COMMENT ON COLUMN amendments.new_driver_external_id IS 'MiX: NewDriverId.';
COMMENT ON COLUMN amendments.extra IS 'Fields of MiX''s answer that this schema does not know, as they came.';
COMMENT ON COLUMN amendments.raw_page_id IS 'The answer that first had it: raw_pages.id.';
COMMENT ON COLUMN amendments.observed_at IS 'Database time when that answer was asked for.';

CREATE TABLE late_truth (
    organisation_id    bigint PRIMARY KEY REFERENCES organisations ON DELETE CASCADE,
    amendments_from    date,
    amendments_up_to   date,
    amendments_read_at timestamptz,
    compared_from      date
);
COMMENT ON TABLE late_truth IS 'How far amendments have been read, and from which day on the days are compared.';
COMMENT ON COLUMN late_truth.organisation_id IS 'The organisation: organisations.id, not MiX''s own id.';
COMMENT ON COLUMN late_truth.amendments_from IS 'The first day whose amendments have been read.';
COMMENT ON COLUMN late_truth.amendments_up_to IS 'The last day whose amendments have been read; the days before it are read again.';
COMMENT ON COLUMN late_truth.amendments_read_at IS 'When they were last read up to the day that it was.';
COMMENT ON COLUMN late_truth.compared_from IS 'The first day that is compared by itself: the first whole day that the feed covers.';

CREATE TABLE reconciliations (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint      NOT NULL REFERENCES organisations ON DELETE CASCADE,
    day             date        NOT NULL,
    reason          text        NOT NULL CHECK (reason IN ('daily', 'request')),
    work_request_id bigint,
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at     timestamptz,
    up_to           timestamptz NOT NULL,
    compared        integer     NOT NULL DEFAULT 0,
    missing         integer     NOT NULL DEFAULT 0,
    differing       integer     NOT NULL DEFAULT 0,
    filled          integer     NOT NULL DEFAULT 0,
    unfilled        integer     NOT NULL DEFAULT 0,
    rewritten       integer     NOT NULL DEFAULT 0,
    quarantined     integer     NOT NULL DEFAULT 0,
    only_here       integer     NOT NULL DEFAULT 0,
    explanations    jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX reconciliations_day ON reconciliations (organisation_id, day, started_at DESC);
CREATE INDEX reconciliations_unfilled ON reconciliations (organisation_id) WHERE unfilled > 0;
CREATE INDEX reconciliations_request ON reconciliations (work_request_id) WHERE work_request_id IS NOT NULL;
COMMENT ON TABLE reconciliations IS 'Each comparison of a UTC day with what MiX''s range endpoint says of it.';
COMMENT ON COLUMN reconciliations.id IS 'Our own number.';
COMMENT ON COLUMN reconciliations.organisation_id IS 'The organisation: organisations.id, not MiX''s own id.';
COMMENT ON COLUMN reconciliations.day IS 'The UTC day that was asked for.';
COMMENT ON COLUMN reconciliations.reason IS 'daily: due by itself, on the second, ninth and 35th day after; request: somebody asked.';
COMMENT ON COLUMN reconciliations.work_request_id IS 'Who asked: work_requests.id, while that is kept.';
COMMENT ON COLUMN reconciliations.started_at IS 'When it began.';
COMMENT ON COLUMN reconciliations.finished_at IS 'When the whole day was compared; null where it was cut off, and what was found until then is counted.';
COMMENT ON COLUMN reconciliations.up_to IS 'The end of the day, or the time of the comparison where the day was not over.';
COMMENT ON COLUMN reconciliations.compared IS 'Events in MiX''s answer, each once.';
COMMENT ON COLUMN reconciliations.missing IS 'Those that were not stored, neither as events nor in quarantine.';
COMMENT ON COLUMN reconciliations.differing IS 'Those of which MiX says something else than what was stored; they were brought up to date.';
COMMENT ON COLUMN reconciliations.filled IS 'Of the missing ones: stored now, or kept in quarantine, or older than events are kept.';
COMMENT ON COLUMN reconciliations.unfilled IS 'Of the missing ones: still missing.';
COMMENT ON COLUMN reconciliations.rewritten IS 'Those that MiX wrote in other bytes and that say the same.';
COMMENT ON COLUMN reconciliations.quarantined IS 'Those that were in quarantine here.';
COMMENT ON COLUMN reconciliations.only_here IS 'Stored events of the day that MiX''s answer does not have.';
COMMENT ON COLUMN reconciliations.explanations IS 'How many of the missing and differing ones are explained by what: see docs/completeness.md.';

CREATE TABLE support_lists (
    organisation_id bigint  NOT NULL REFERENCES organisations ON DELETE CASCADE,
    list            text    NOT NULL,
    good_rows       integer NOT NULL,
    good_at         timestamptz NOT NULL,
    short_rows      integer,
    short_at        timestamptz,
    PRIMARY KEY (organisation_id, list)
);
COMMENT ON TABLE support_lists IS 'How long each support list was when it was last believed, and one that came shorter and was not believed yet.';
COMMENT ON COLUMN support_lists.organisation_id IS 'The organisation: organisations.id, not MiX''s own id.';
COMMENT ON COLUMN support_lists.list IS 'drivers, vehicles, event_types or sites.';
COMMENT ON COLUMN support_lists.good_rows IS 'Rows of the last list that was believed.';
COMMENT ON COLUMN support_lists.good_at IS 'When that one came.';
COMMENT ON COLUMN support_lists.short_rows IS 'Rows of a later list that is far shorter: nothing was marked removed. Null where there is none.';
COMMENT ON COLUMN support_lists.short_at IS 'When that one came.';

CREATE TABLE organisation_conflicts (
    api_url       text   NOT NULL,
    external_id   bigint NOT NULL,
    source        text   NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (api_url, external_id, source)
);
COMMENT ON TABLE organisation_conflicts IS 'Organisations that a source wants and another one has; who has it is in organisations.';
COMMENT ON COLUMN organisation_conflicts.api_url IS 'Base URL of the data API without a trailing slash.';
COMMENT ON COLUMN organisation_conflicts.external_id IS 'MiX''s organisation id.';
COMMENT ON COLUMN organisation_conflicts.source IS 'The MixSource (namespace/name) that does not get it.';
COMMENT ON COLUMN organisation_conflicts.first_seen_at IS 'When it first tried.';
COMMENT ON COLUMN organisation_conflicts.last_seen_at IS 'When it last tried.';

ALTER TABLE sync_runs ADD COLUMN short_lists text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN sync_runs.short_lists IS 'Lists that were far shorter than the last good one and were not believed, such as `drivers: 0 of 41`.';

ALTER TABLE etl_control ADD COLUMN last_error_kind text;
COMMENT ON COLUMN etl_control.last_error_kind IS 'The class of last_error, such as Throttled: what programs go by.';
