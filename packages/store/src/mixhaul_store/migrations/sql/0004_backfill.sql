-- Work with a heartbeat, the leader's own tasks, and what backfill has still to read.

ALTER TABLE work_requests
    ADD COLUMN heartbeat_at timestamptz,
    ADD COLUMN not_before   timestamptz,
    ADD COLUMN attempts     integer NOT NULL DEFAULT 0,
    ADD COLUMN progress     jsonb   NOT NULL DEFAULT '{}';
COMMENT ON COLUMN work_requests.heartbeat_at IS 'When whoever executes it last said so; a minute later it is taken again.';
COMMENT ON COLUMN work_requests.not_before IS 'Not tried again until then.';
COMMENT ON COLUMN work_requests.attempts IS 'How often it was begun.';
COMMENT ON COLUMN work_requests.progress IS 'How far it is, in figures; what each kind needs to go on after a restart.';
CREATE INDEX work_requests_unfinished ON work_requests (requested_at, id) WHERE state IN ('pending', 'running');

CREATE TABLE leader_tasks (
    name         text PRIMARY KEY,
    started_at   timestamptz NOT NULL,
    succeeded_at timestamptz,
    failures     integer NOT NULL DEFAULT 0,
    last_error   text
);
COMMENT ON TABLE leader_tasks IS 'What the leader does from time to time, and when it last did: a restart neither repeats nor forgets it.';
COMMENT ON COLUMN leader_tasks.name IS 'Which task.';
COMMENT ON COLUMN leader_tasks.started_at IS 'When it was last begun.';
COMMENT ON COLUMN leader_tasks.succeeded_at IS 'When it last ended well.';
COMMENT ON COLUMN leader_tasks.failures IS 'How often it failed since then.';
COMMENT ON COLUMN leader_tasks.last_error IS 'What the last failure was.';

ALTER TABLE etl_control
    ADD COLUMN begun_at         timestamptz,
    ADD COLUMN largest_lateness interval;
COMMENT ON COLUMN etl_control.begun_at IS 'When a feed that starts from Now first began: whatever happens before its first page, it goes on from there.';
COMMENT ON COLUMN etl_control.largest_lateness IS 'The longest time between an event and the answer that first brought it, where that was over 60 days; times beyond 400 days are taken for wrong clocks.';

ALTER TABLE gaps
    ADD COLUMN last_error text;
COMMENT ON COLUMN gaps.last_error IS 'Why a part of it could not be read yet; null where nothing is in the way.';
COMMENT ON COLUMN gaps.filled_up_to IS 'Everything created before is stored: what is left is from here to the end.';

CREATE TABLE backfill_windows (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint      NOT NULL REFERENCES organisations ON DELETE CASCADE,
    gap_id          bigint REFERENCES gaps ON DELETE CASCADE,
    work_request_id bigint REFERENCES work_requests ON DELETE CASCADE,
    from_time       timestamptz NOT NULL,
    to_time         timestamptz NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    not_before      timestamptz,
    last_error      text,
    CHECK (from_time < to_time),
    CHECK (num_nonnulls(gap_id, work_request_id) = 1)
);
COMMENT ON TABLE backfill_windows IS 'What is still to be read from history: a row goes in the transaction that stores what it brought.';
COMMENT ON COLUMN backfill_windows.id IS 'Number.';
COMMENT ON COLUMN backfill_windows.organisation_id IS 'The organisation: organisations.id, not MiX''s own id.';
COMMENT ON COLUMN backfill_windows.gap_id IS 'The gap that it fills.';
COMMENT ON COLUMN backfill_windows.work_request_id IS 'Or the request that asked for it.';
COMMENT ON COLUMN backfill_windows.from_time IS 'Begin, in the time of the events.';
COMMENT ON COLUMN backfill_windows.to_time IS 'End, in the time of the events.';
COMMENT ON COLUMN backfill_windows.attempts IS 'How often reading it failed.';
COMMENT ON COLUMN backfill_windows.not_before IS 'Not tried again until then.';
COMMENT ON COLUMN backfill_windows.last_error IS 'Why it failed last.';
CREATE INDEX backfill_windows_gap ON backfill_windows (gap_id, from_time);
CREATE INDEX backfill_windows_request ON backfill_windows (work_request_id, from_time);
