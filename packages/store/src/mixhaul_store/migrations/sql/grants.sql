-- What each role may do, run after every migration for those roles that exist. Privileges end up exactly as written here.
DO $grants$
DECLARE
    -- table -> what the API and the operator may do beside the writer, who may do everything but change the schema
    all_tables name[] := ARRAY(
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
          AND relname <> 'alembic_version' AND relname NOT LIKE 'expired\_%'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')
    );
    append_only name[] := ARRAY['audit_log', 'erasures'];
    api_hidden name[] := ARRAY['api_credentials'];
    operator_reads name[] := ARRAY['organisations', 'etl_control', 'gaps', 'sync_runs', 'upstream_totals',
        'request_budgets', 'request_permits', 'leader_epochs', 'leader_heartbeats', 'work_requests', 'reconciliations',
        'organisation_conflicts', 'alembic_version'];
    role name;
    t name;
BEGIN
    FOR role IN SELECT rolname FROM pg_roles
        WHERE rolname IN ('mixhaul_writer', 'mixhaul_api', 'mixhaul_operator') AND rolname <> current_user
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
        FOREACH t IN ARRAY all_tables || 'alembic_version'::name LOOP
            EXECUTE format('REVOKE ALL ON TABLE public.%I FROM %I', t, role);
        END LOOP;
        EXECUTE format('GRANT SELECT ON TABLE public.alembic_version TO %I', role);

        IF role = 'mixhaul_writer' THEN
            FOREACH t IN ARRAY all_tables LOOP
                EXECUTE format('GRANT SELECT, INSERT ON TABLE public.%I TO %I', t, role);
                IF t <> ALL (append_only) THEN
                    EXECUTE format('GRANT UPDATE, DELETE ON TABLE public.%I TO %I', t, role);
                END IF;
            END LOOP;
            EXECUTE format('GRANT EXECUTE ON FUNCTION public.mixhaul_create_partition(text, date),'
                ' public.mixhaul_attach_partition(text, date), public.mixhaul_move_month(text, date),'
                ' public.mixhaul_detach_month(text, date), public.mixhaul_forget_month(date, bigint, bigint, integer),'
                ' public.mixhaul_drop_expired(text, date) TO %I', role);
            -- To count what is in the DEFAULT partitions.
            EXECUTE format('GRANT SELECT ON TABLE public.telemetry_events_default, public.raw_pages_default TO %I', role);

        ELSIF role = 'mixhaul_api' THEN
            FOREACH t IN ARRAY all_tables LOOP
                IF t <> ALL (api_hidden) THEN
                    EXECUTE format('GRANT SELECT ON TABLE public.%I TO %I', t, role);
                END IF;
                IF t = ANY (append_only) THEN
                    EXECUTE format('GRANT INSERT ON TABLE public.%I TO %I', t, role);
                END IF;
            END LOOP;
            EXECUTE format('GRANT UPDATE (family, is_infraction, severity, classification_origin, classified_by, classified_at)'
                ' ON TABLE public.event_types TO %I', role);
            -- A classification changes what answers show, so its commit moves the watermark.
            EXECUTE format('GRANT UPDATE (watermark) ON TABLE public.organisations TO %I', role);

        ELSE
            FOREACH t IN ARRAY operator_reads LOOP
                EXECUTE format('GRANT SELECT ON TABLE public.%I TO %I', t, role);
            END LOOP;
            -- Counted, but their bytes are personal data.
            EXECUTE format('GRANT SELECT (id, organisation_id, feed, reason, observed_at, resolved_at)'
                ' ON TABLE public.quarantined_records TO %I', role);
            -- Whether a login was refused; no token.
            EXECUTE format('GRANT SELECT (identity_url, client_id, username, revision, access_expires_at, refused_revision,'
                ' refused_until, refused_error) ON TABLE public.api_credentials TO %I', role);
            EXECUTE format('GRANT INSERT ON TABLE public.work_requests TO %I', role);
        END IF;
    END LOOP;
END
$grants$;
