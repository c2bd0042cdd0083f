-- How long data is kept, whose it is, and how far a rebuilding of rows has come.

ALTER TABLE organisations
    ADD COLUMN source_uid text,
    ADD COLUMN event_days integer CHECK (event_days > 0),
    ADD COLUMN raw_days integer CHECK (raw_days > 0),
    ADD COLUMN deletion_began_at timestamptz,
    ADD COLUMN deleted_at timestamptz;
COMMENT ON COLUMN organisations.source_uid IS 'The uid of that MixSource: tells one that was made again from the one before it.';
COMMENT ON COLUMN organisations.event_days IS 'Days for which events are kept, by occurred_at; null: for ever. Kept up to date by the leader from the MixSource.';
COMMENT ON COLUMN organisations.raw_days IS 'Days for which raw pages are kept, by observed_at; null: for ever. Kept up to date by the leader from the MixSource.';
COMMENT ON COLUMN organisations.deletion_began_at IS 'Its source was deleted and wants the data deleted: nobody writes any more.';
COMMENT ON COLUMN organisations.deleted_at IS 'Its data was deleted. The row stays for as long as calls made for it count in the budget, which whoever claims it again takes over.';

CREATE TABLE credential_uses (
    credential_id bigint NOT NULL REFERENCES api_credentials ON DELETE CASCADE,
    source        text   NOT NULL,
    PRIMARY KEY (credential_id, source)
);
COMMENT ON TABLE credential_uses IS 'Which sources use a login: it is deleted with the data of the last one.';
COMMENT ON COLUMN credential_uses.credential_id IS 'api_credentials.id.';
COMMENT ON COLUMN credential_uses.source IS 'The MixSource (namespace/name).';

ALTER TABLE quarantined_records
    ADD COLUMN last_raw_page_id bigint,
    ADD COLUMN last_observed_at timestamptz;
COMMENT ON COLUMN quarantined_records.last_raw_page_id IS 'raw_pages.id of the last answer that had it once more; null where there was only one.';
COMMENT ON COLUMN quarantined_records.last_observed_at IS 'Database time when that request was sent.';
CREATE INDEX quarantined_records_unresolved ON quarantined_records (raw_page_id) WHERE resolved_at IS NULL;

CREATE TABLE reprocess_runs (
    selection    text        PRIMARY KEY,
    after_page   bigint      NOT NULL,
    last_page    bigint      NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE reprocess_runs IS 'How far each rebuilding of rows from raw pages has come; a row goes when it is done.';
COMMENT ON COLUMN reprocess_runs.selection IS 'Which pages, and by which version of the program.';
COMMENT ON COLUMN reprocess_runs.after_page IS 'raw_pages.id of the last one that is done.';
COMMENT ON COLUMN reprocess_runs.last_page IS 'raw_pages.id of the last one that belongs to it.';
COMMENT ON COLUMN reprocess_runs.started_at IS 'Begin.';
COMMENT ON COLUMN reprocess_runs.updated_at IS 'When the last page was done.';

-- A month that has outlived every retention leaves in three steps, each short: the partition is detached under a name of
-- its own, so that nobody takes it for a new one; its events' keys go in batches; its table is dropped.

CREATE FUNCTION mixhaul_expired_name(parent text, month date) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    RETURN 'expired_' || mixhaul_partition_name(parent, month);
COMMENT ON FUNCTION mixhaul_expired_name(text, date) IS 'Name of the table of a month that was detached to be dropped.';

CREATE FUNCTION mixhaul_expired_months(parent text) RETURNS TABLE (month date)
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, public, pg_temp
    BEGIN ATOMIC
        SELECT make_date(substring(c.relname FROM '_(\d{4})_\d{2}$')::int, substring(c.relname FROM '(\d{2})$')::int, 1)
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
          AND c.relname ~ ('^expired_' || parent || '_\d{4}_\d{2}$')
        ORDER BY 1;
    END;
COMMENT ON FUNCTION mixhaul_expired_months(text) IS 'The months that were detached and not dropped yet.';

CREATE FUNCTION mixhaul_detach_month(parent text, month date) RETURNS boolean
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    name text := mixhaul_partition_name(parent, month);
BEGIN
    IF mixhaul_partition_key(parent) IS NULL THEN
        RAISE EXCEPTION '% has no partitions', parent USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('mixhaul partitions'), hashtext(parent));
    IF NOT EXISTS (SELECT FROM mixhaul_partition_months(parent) AS made WHERE made.month = $2) THEN
        RETURN false;
    END IF;
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, name);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', name, mixhaul_expired_name(parent, month));
    RETURN true;
END
$$;
COMMENT ON FUNCTION mixhaul_detach_month(text, date) IS 'Takes the partition of a month out of its table, to be dropped.';

-- The keys of events that name no time of their own stay (occurred_at is when they were first seen): without them such
-- an event, delivered once more, would look like a new one of today.
CREATE FUNCTION mixhaul_forget_month(month date, organisation bigint, after bigint, batch integer)
    RETURNS TABLE (events bigint, keys bigint, last bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format($query$
        WITH doomed AS (
            SELECT external_id, occurred_at FROM %I
             WHERE organisation_id = $1 AND ($2 IS NULL OR external_id > $2) ORDER BY external_id LIMIT $3
        ), gone AS (
            DELETE FROM event_keys k USING doomed d
             WHERE k.organisation_id = $1 AND k.external_id = d.external_id AND k.occurred_at = d.occurred_at
               AND k.occurred_at <> k.observed_at
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM doomed), (SELECT count(*) FROM gone), (SELECT max(external_id) FROM doomed)
        $query$, mixhaul_expired_name('telemetry_events', month)) USING organisation, after, batch;
END
$$;
COMMENT ON FUNCTION mixhaul_forget_month(date, bigint, bigint, integer) IS 'Deletes the keys of some events of a detached month.';

CREATE FUNCTION mixhaul_drop_expired(parent text, month date) RETURNS void
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    IF mixhaul_partition_key(parent) IS NULL THEN
        RAISE EXCEPTION '% has no partitions', parent USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', mixhaul_expired_name(parent, month));
END
$$;
COMMENT ON FUNCTION mixhaul_drop_expired(text, date) IS 'Drops the table of a month that was detached.';

REVOKE EXECUTE ON FUNCTION mixhaul_detach_month(text, date), mixhaul_forget_month(date, bigint, bigint, integer),
    mixhaul_drop_expired(text, date) FROM PUBLIC;
