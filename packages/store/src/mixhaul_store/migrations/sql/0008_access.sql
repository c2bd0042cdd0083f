-- Who saw and changed what; drivers whose personal data is erased for good; watermarks that are told at once.

ALTER TABLE audit_log ADD COLUMN route text;
ALTER TABLE audit_log ADD COLUMN subject_ids bigint[];
COMMENT ON COLUMN audit_log.route IS 'Method and template of the route; never the address, which holds search terms.';
COMMENT ON COLUMN audit_log.subject_ids IS 'MiX ids of the drivers whose data was shown or changed.';
CREATE INDEX audit_log_newest ON audit_log (organisation_id, at DESC, id DESC);
CREATE INDEX audit_log_subjects ON audit_log USING gin (subject_ids);

CREATE TABLE erasures (
    organisation_id    bigint      NOT NULL REFERENCES organisations ON DELETE CASCADE,
    driver_external_id bigint      NOT NULL,
    erased_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    requested_by       text        NOT NULL,
    request_id         text        NOT NULL,
    PRIMARY KEY (organisation_id, driver_external_id)
);
COMMENT ON TABLE erasures IS 'Drivers whose personal data was erased. A row takes effect when it is inserted, and on whatever is written later.';
COMMENT ON COLUMN erasures.organisation_id IS 'The organisation: organisations.id, not MiX''s own id.';
COMMENT ON COLUMN erasures.driver_external_id IS 'MiX: DriverId.';
COMMENT ON COLUMN erasures.erased_at IS 'When.';
COMMENT ON COLUMN erasures.requested_by IS 'Who asked for it through the API: sub of the token.';
COMMENT ON COLUMN erasures.request_id IS 'The request that asked for it.';

ALTER TABLE drivers ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN drivers.erased_at IS 'When the personal data was erased; null for all others. The row stays for counts by site.';

-- In triggers, so that no writer can forget it: the sync, a restore by hand, a program that is yet to be written.
-- SECURITY DEFINER, because the roles that write drivers and vehicles need not know of erasures.
CREATE FUNCTION mixhaul_driver_stays_erased() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT erased_at INTO NEW.erased_at FROM erasures
     WHERE organisation_id = NEW.organisation_id AND driver_external_id = NEW.external_id;
    IF NEW.erased_at IS NOT NULL THEN
        NEW.name := NULL;
        NEW.employee_number := NULL;
        NEW.mobile_number := NULL;
        NEW.email := NULL;
        NEW.fm_driver_id := NULL;
        NEW.extended_driver_id := NULL;
        NEW.extended_driver_id_type := NULL;
        NEW.country := NULL;
        NEW.image_uri := NULL;
        NEW.additional_detail_fields := NULL;
        NEW.extra := NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION mixhaul_driver_stays_erased() IS 'Takes an erased driver''s personal data out of whatever is written.';
-- Not for each UPDATE: a sync touches last_seen_at of every driver.
CREATE TRIGGER driver_stays_erased BEFORE INSERT OR UPDATE OF erased_at, name, employee_number, mobile_number, email,
        fm_driver_id, extended_driver_id, extended_driver_id_type, country, image_uri, additional_detail_fields, extra
    ON drivers
    FOR EACH ROW EXECUTE FUNCTION mixhaul_driver_stays_erased();

CREATE FUNCTION mixhaul_default_driver_stays_erased() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM erasures WHERE organisation_id = NEW.organisation_id
               AND driver_external_id = NEW.default_driver_external_id) THEN
        NEW.default_driver_external_id := NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION mixhaul_default_driver_stays_erased() IS 'Takes an erased driver out of the vehicles that are written.';
CREATE TRIGGER default_driver_stays_erased BEFORE INSERT OR UPDATE OF default_driver_external_id ON vehicles
    FOR EACH ROW WHEN (NEW.default_driver_external_id IS NOT NULL)
    EXECUTE FUNCTION mixhaul_default_driver_stays_erased();

-- The watermark first: that is the organisation's lock, which every writer takes before it writes. A sync that holds it
-- commits before this looks at its rows, and one that waits for it sees the erasure.
CREATE FUNCTION mixhaul_erase_driver() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE organisations SET watermark = watermark + 1 WHERE id = NEW.organisation_id;
    UPDATE drivers SET erased_at = NEW.erased_at
     WHERE organisation_id = NEW.organisation_id AND external_id = NEW.driver_external_id;
    UPDATE vehicles SET default_driver_external_id = NULL
     WHERE organisation_id = NEW.organisation_id AND default_driver_external_id = NEW.driver_external_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION mixhaul_erase_driver() IS 'Erases a driver''s personal data when its row of erasures is inserted.';
CREATE TRIGGER erase_driver AFTER INSERT ON erasures FOR EACH ROW EXECUTE FUNCTION mixhaul_erase_driver();

REVOKE ALL ON FUNCTION mixhaul_driver_stays_erased(), mixhaul_default_driver_stays_erased(), mixhaul_erase_driver()
    FROM PUBLIC;

-- Told at the commit, so that a process of the API drops its kept answers within milliseconds.
CREATE FUNCTION mixhaul_tell_watermark() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mixhaul_watermark', NEW.id || ':' || NEW.watermark);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION mixhaul_tell_watermark() IS 'Tells listeners that an organisation''s answers may have changed.';
CREATE TRIGGER tell_watermark AFTER UPDATE ON organisations
    FOR EACH ROW WHEN (OLD.watermark IS DISTINCT FROM NEW.watermark) EXECUTE FUNCTION mixhaul_tell_watermark();
