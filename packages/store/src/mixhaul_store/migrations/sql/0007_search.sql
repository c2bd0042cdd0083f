-- Finding drivers as people type, and what the API's lists of events need.

-- Words of names: folded, apostrophes, hyphens and the like taken for blanks, one blank between words.
-- The length is bounded because all of it is in indexes, and a row of an index holds 2.7 KB at most.
CREATE FUNCTION mixhaul_words(text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN left(btrim(regexp_replace(translate(mixhaul_fold($1),
        E'\t\n\r\u00a0-.,;:/()"''`´’–—', repeat(' ', 19)), ' +', ' ', 'g')), 200);
COMMENT ON FUNCTION mixhaul_words(text) IS 'A name as words in lower case without accents, one blank between them: what drivers are searched and sorted by.';

ALTER TABLE drivers ADD COLUMN search_name text COLLATE "C" GENERATED ALWAYS AS (mixhaul_words(name)) STORED;
COMMENT ON COLUMN drivers.search_name IS 'The name as mixhaul_words makes it; by code point, so that the order is the same everywhere.';
DROP INDEX drivers_name;
DROP INDEX drivers_name_trgm;
CREATE INDEX drivers_listed ON drivers (organisation_id, search_name, external_id);
CREATE INDEX drivers_named ON drivers (organisation_id, (removed_at IS NOT NULL), search_name, external_id);
CREATE INDEX drivers_numbered ON drivers
    (organisation_id, (removed_at IS NOT NULL), (left(mixhaul_fold(employee_number), 200) COLLATE "C"), external_id);

-- One row a driver and word, so that the drivers with a word come in the order of the list, however many there are.
CREATE TABLE driver_words (
    organisation_id bigint  NOT NULL,
    word            text COLLATE "C" NOT NULL,
    gone            boolean NOT NULL,
    search_name     text COLLATE "C" NOT NULL,
    external_id     bigint  NOT NULL,
    PRIMARY KEY (organisation_id, word, gone, search_name, external_id)
);
COMMENT ON TABLE driver_words IS 'Each word of each driver''s name, kept by triggers on drivers.';
COMMENT ON COLUMN driver_words.organisation_id IS 'The organisation: organisations.id, not MiX''s own id.';
COMMENT ON COLUMN driver_words.word IS 'A word of drivers.search_name.';
COMMENT ON COLUMN driver_words.gone IS 'MiX no longer lists the driver.';
COMMENT ON COLUMN driver_words.search_name IS 'As in drivers: lists are sorted by it.';
COMMENT ON COLUMN driver_words.external_id IS 'The driver''s id in MiX.';

-- Some thousands of words for a hundred thousand drivers: parts of words and typing errors are looked for here.
CREATE TABLE driver_vocabulary (
    organisation_id bigint  NOT NULL,
    word            text COLLATE "C" NOT NULL,
    uses            integer NOT NULL,
    PRIMARY KEY (organisation_id, word)
);
COMMENT ON TABLE driver_vocabulary IS 'The different words of an organisation''s drivers'' names, kept by triggers on drivers.';
COMMENT ON COLUMN driver_vocabulary.organisation_id IS 'The organisation: organisations.id, not MiX''s own id.';
COMMENT ON COLUMN driver_vocabulary.word IS 'The word.';
COMMENT ON COLUMN driver_vocabulary.uses IS 'How many rows of driver_words have it.';
CREATE INDEX driver_vocabulary_trgm ON driver_vocabulary USING gin (word gin_trgm_ops);
CREATE INDEX driver_vocabulary_unused ON driver_vocabulary (organisation_id) WHERE uses <= 0;

-- With the rights of its owner: whoever changes a driver keeps the words right, and nobody has to be trusted with them.
-- Once a statement: a sync writes all drivers in one, and a row of a common word would otherwise change thousands of times.
CREATE FUNCTION mixhaul_keep_words() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    leaving drivers[];
    coming  drivers[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        coming := ARRAY(SELECT n::drivers FROM new_drivers n);
    ELSIF TG_OP = 'DELETE' THEN
        leaving := ARRAY(SELECT o::drivers FROM old_drivers o);
    ELSE
        SELECT array_agg(o::drivers), array_agg(n::drivers) INTO leaving, coming
        FROM old_drivers o JOIN new_drivers n USING (organisation_id, external_id)
        WHERE (o.search_name, o.removed_at IS NULL) IS DISTINCT FROM (n.search_name, n.removed_at IS NULL);
    END IF;

    IF cardinality(leaving) > 0 THEN
        WITH old_words AS (
            SELECT DISTINCT o.organisation_id, w.word, o.removed_at IS NOT NULL AS gone, o.search_name, o.external_id
            FROM unnest(leaving) o CROSS JOIN LATERAL unnest(string_to_array(o.search_name, ' ')) AS w(word)
            WHERE w.word <> ''
        ), taken AS (
            DELETE FROM driver_words d USING old_words l
            WHERE d.organisation_id = l.organisation_id AND d.word = l.word AND d.gone = l.gone
              AND d.search_name = l.search_name AND d.external_id = l.external_id
            RETURNING d.organisation_id, d.word
        ), counted AS (
            SELECT organisation_id, word, count(*)::integer AS uses FROM taken GROUP BY 1, 2
        )
        UPDATE driver_vocabulary v SET uses = v.uses - c.uses FROM counted c
        WHERE v.organisation_id = c.organisation_id AND v.word = c.word;
    END IF;
    IF cardinality(coming) > 0 THEN
        WITH added AS (
            INSERT INTO driver_words (organisation_id, word, gone, search_name, external_id)
            SELECT DISTINCT n.organisation_id, w.word, n.removed_at IS NOT NULL, n.search_name, n.external_id
            FROM unnest(coming) n CROSS JOIN LATERAL unnest(string_to_array(n.search_name, ' ')) AS w(word)
            WHERE w.word <> ''
            RETURNING organisation_id, word
        )
        INSERT INTO driver_vocabulary AS v (organisation_id, word, uses)
        SELECT organisation_id, word, count(*)::integer FROM added GROUP BY 1, 2
        ON CONFLICT (organisation_id, word) DO UPDATE SET uses = v.uses + excluded.uses;
    END IF;
    IF cardinality(leaving) > 0 THEN
        DELETE FROM driver_vocabulary WHERE uses <= 0;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION mixhaul_keep_words() IS 'Keeps driver_words and driver_vocabulary as drivers has it.';
REVOKE ALL ON FUNCTION mixhaul_keep_words() FROM PUBLIC;
CREATE TRIGGER drivers_words_inserted AFTER INSERT ON drivers
    REFERENCING NEW TABLE AS new_drivers FOR EACH STATEMENT EXECUTE FUNCTION mixhaul_keep_words();
CREATE TRIGGER drivers_words_updated AFTER UPDATE ON drivers
    REFERENCING OLD TABLE AS old_drivers NEW TABLE AS new_drivers
    FOR EACH STATEMENT EXECUTE FUNCTION mixhaul_keep_words();
CREATE TRIGGER drivers_words_deleted AFTER DELETE ON drivers
    REFERENCING OLD TABLE AS old_drivers FOR EACH STATEMENT EXECUTE FUNCTION mixhaul_keep_words();

INSERT INTO driver_words (organisation_id, word, gone, search_name, external_id)
SELECT DISTINCT d.organisation_id, w.word, d.removed_at IS NOT NULL, d.search_name, d.external_id
FROM drivers d CROSS JOIN LATERAL unnest(string_to_array(d.search_name, ' ')) AS w(word)
WHERE w.word <> '';
INSERT INTO driver_vocabulary (organisation_id, word, uses)
SELECT organisation_id, word, count(*) FROM driver_words GROUP BY 1, 2;

-- How much a type matters, for filters and reports: proposed with the classification, changed by people with it.
ALTER TABLE event_types ADD COLUMN severity text NOT NULL DEFAULT 'none'
    CHECK (severity IN ('none', 'low', 'medium', 'high'));
COMMENT ON COLUMN event_types.severity IS 'How much events of this type matter: none, low, medium or high.';

-- The whole fleet's events and a vehicle's, newest first. The + 0 hides the first one from all queries that do not ask
-- for it: it is better correlated with the rows than the index of drivers, which made the planner read the events of the
-- whole fleet to find those of one driver.
CREATE INDEX telemetry_events_time ON telemetry_events ((organisation_id + 0), occurred_at DESC, external_id DESC);
CREATE INDEX telemetry_events_vehicle ON telemetry_events
    (organisation_id, vehicle_external_id, occurred_at DESC, external_id DESC);
-- Each answer says when the last sync was.
CREATE INDEX sync_runs_organisation ON sync_runs (organisation_id, started_at DESC);
