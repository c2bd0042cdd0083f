-- Care of the monthly partitions, as functions of the owner, because only an owner may attach a partition and the
-- ingestor's role is not the owner. Each works on the two partitioned tables only. The caller sets lock_timeout.

CREATE FUNCTION mixhaul_partition_key(parent text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    RETURN CASE parent WHEN 'telemetry_events' THEN 'occurred_at' WHEN 'raw_pages' THEN 'observed_at' END;
COMMENT ON FUNCTION mixhaul_partition_key(text) IS 'The column that a table is partitioned by; null for all other tables.';

CREATE FUNCTION mixhaul_partition_name(parent text, month date) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    RETURN parent || '_' || lpad(extract(year FROM month)::text, 4, '0') || '_' || lpad(extract(month FROM month)::text, 2, '0');
COMMENT ON FUNCTION mixhaul_partition_name(text, date) IS 'Name of the partition of a month.';

-- The months that have an attached partition.
CREATE FUNCTION mixhaul_partition_months(parent text) RETURNS TABLE (month date)
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, public, pg_temp
    BEGIN ATOMIC
        SELECT make_date(substring(c.relname FROM '_(\d{4})_\d{2}$')::int, substring(c.relname FROM '(\d{2})$')::int, 1)
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass('public.' || quote_ident(parent)) AND c.relname ~ '_\d{4}_\d{2}$'
        ORDER BY 1;
    END;
COMMENT ON FUNCTION mixhaul_partition_months(text) IS 'The months that have a partition of their own.';

-- Step 1: a table of the right shape, alone. Nobody sees it, so nobody waits.
CREATE FUNCTION mixhaul_create_partition(parent text, month date) RETURNS void
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    key text := mixhaul_partition_key(parent);
    name text := mixhaul_partition_name(parent, month);
BEGIN
    IF key IS NULL OR month <> date_trunc('month', month)::date THEN
        RAISE EXCEPTION 'no partition of % for %', parent, month USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Two processes that care for partitions take turns.
    PERFORM pg_advisory_xact_lock(hashtext('mixhaul partitions'), hashtext(parent));
    IF to_regclass(quote_ident(name)) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)',
            name, parent);
    END IF;
END
$$;
COMMENT ON FUNCTION mixhaul_create_partition(text, date) IS 'Makes the table for a month without attaching it.';

-- Step 2: attach it. Needs short locks; false where the DEFAULT partition holds rows of that month.
CREATE FUNCTION mixhaul_attach_partition(parent text, month date) RETURNS boolean
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    key text := mixhaul_partition_key(parent);
    name text := mixhaul_partition_name(parent, month);
    low text := to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00';
    high text := to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00';
BEGIN
    IF key IS NULL THEN
        RAISE EXCEPTION '% has no partitions', parent USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('mixhaul partitions'), hashtext(parent));
    IF EXISTS (SELECT FROM mixhaul_partition_months(parent) AS made WHERE made.month = $2) THEN
        RETURN true;
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, low, high);
    RETURN true;
EXCEPTION WHEN check_violation THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION mixhaul_attach_partition(text, date) IS 'Attaches the table of a month; false where the DEFAULT partition holds rows of it.';

-- All rows of one month out of the DEFAULT partition and into one of their own, at once or not at all.
-- Every writer of events locks its organisation's row first, in a statement of its own. So the rows of the organisations
-- that are locked here stand still, and what their writers do afterwards is planned with the new partition in view. (A
-- lock on the DEFAULT partition would not do: a statement that waits for it goes on with its old plan and misses its
-- row.) Where another organisation adds a row of that month meanwhile, attaching fails and everything stays as it was.
CREATE FUNCTION mixhaul_move_month(parent text, month date) RETURNS bigint
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    key text := mixhaul_partition_key(parent);
    name text := mixhaul_partition_name(parent, month);
    low timestamptz := month::timestamp AT TIME ZONE 'UTC';
    high timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
    owners bigint[];
    columns text;
    moved bigint;
    gone bigint;
BEGIN
    IF key IS NULL THEN
        RAISE EXCEPTION '% has no partitions', parent USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('mixhaul partitions'), hashtext(parent));
    IF EXISTS (SELECT FROM mixhaul_partition_months(parent) AS made WHERE made.month = $2) THEN
        RETURN 0;
    END IF;
    EXECUTE format('SELECT array_agg(DISTINCT organisation_id) FROM %1$I WHERE %2$I >= $1 AND %2$I < $2',
                   parent || '_default', key) INTO owners USING low, high;
    PERFORM FROM organisations WHERE id = ANY (owners) ORDER BY id FOR UPDATE;

    PERFORM mixhaul_create_partition(parent, month);
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
    FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(parent)) AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('INSERT INTO %1$I (%2$s) SELECT %2$s FROM %3$I'
                   ' WHERE %4$I >= $1 AND %4$I < $2 AND organisation_id = ANY ($3)',
                   name, columns, parent || '_default', key) USING low, high, owners;
    GET DIAGNOSTICS moved = ROW_COUNT;
    EXECUTE format('DELETE FROM %1$I WHERE %2$I >= $1 AND %2$I < $2 AND organisation_id = ANY ($3)',
                   parent || '_default', key) USING low, high, owners;
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF moved <> gone THEN
        RAISE EXCEPTION 'copied % rows of % and deleted %', moved, name, gone;
    END IF;
    IF NOT mixhaul_attach_partition(parent, month) THEN
        RAISE EXCEPTION 'another organisation adds rows of %', name USING ERRCODE = 'lock_not_available';
    END IF;
    RETURN moved;
END
$$;
COMMENT ON FUNCTION mixhaul_move_month(text, date) IS 'Moves a month out of the DEFAULT partition; returns how many rows.';

REVOKE EXECUTE ON FUNCTION mixhaul_create_partition(text, date), mixhaul_attach_partition(text, date),
    mixhaul_move_month(text, date) FROM PUBLIC;
