-- The first schema. Ids that MiX gives are bigint (signed 64-bit), times are timestamptz.
-- Every table that holds MiX data keys on organisations.id, because two data centres may use the same MiX ids.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

-- unaccent() is only STABLE, since its dictionary may be changed; an index needs this fixed form.
CREATE FUNCTION mixhaul_fold(text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN lower(public.unaccent('public.unaccent'::regdictionary, $1));
COMMENT ON FUNCTION mixhaul_fold(text) IS 'Lower case without accents: what names are searched by.';

CREATE TABLE organisations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    api_url       text        NOT NULL,
    external_id   bigint      NOT NULL,
    name          text,
    time_zone     text,
    source        text        NOT NULL,
    claimed_at    timestamptz NOT NULL DEFAULT now(),
    watermark     bigint      NOT NULL DEFAULT 0,
    extra         jsonb,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz,
    UNIQUE (api_url, external_id)
);
COMMENT ON TABLE organisations IS 'The MiX organisations that are hauled. Row locks here serialise every writer of an organisation''s events.';
COMMENT ON COLUMN organisations.source IS 'The MixSource (namespace/name) that claimed it first; another source that names it is told so.';
COMMENT ON COLUMN organisations.api_url IS 'Base URL of the data API without a trailing slash: uat and production may share ids.';
COMMENT ON COLUMN organisations.watermark IS 'Moves by one with each commit that an answer of the API could show.';

CREATE TABLE drivers (
    organisation_id bigint NOT NULL REFERENCES organisations ON DELETE CASCADE,
    external_id     bigint NOT NULL,
    name            text,
    employee_number text,
    site_external_id bigint,
    mobile_number   text,
    email           text,
    fm_driver_id    bigint,
    is_system_driver boolean,
    extended_driver_id text,
    extended_driver_id_type text,
    country         text,
    image_uri       text,
    additional_detail_fields jsonb,
    extra           jsonb,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    removed_at      timestamptz,
    PRIMARY KEY (organisation_id, external_id)
);
COMMENT ON TABLE drivers IS 'Drivers as the daily sync last saw them. A row that MiX no longer lists is kept and gets removed_at.';
CREATE INDEX drivers_name_trgm ON drivers USING gin (mixhaul_fold(name) gin_trgm_ops);
CREATE INDEX drivers_name ON drivers (organisation_id, mixhaul_fold(name) text_pattern_ops, external_id);

CREATE TABLE vehicles (
    organisation_id bigint NOT NULL REFERENCES organisations ON DELETE CASCADE,
    external_id     bigint NOT NULL,
    description     text,
    registration_number text,
    fleet_number    text,
    make            text,
    model           text,
    year            text,
    vin_number      text,
    site_external_id bigint,
    fuel_type       text,
    odometer_km     numeric,
    engine_hours    text,
    engine_seconds  double precision,
    default_driver_external_id bigint,
    user_state      text,
    created_at      timestamptz,
    extra           jsonb,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    removed_at      timestamptz,
    PRIMARY KEY (organisation_id, external_id)
);
COMMENT ON TABLE vehicles IS 'Vehicles (MiX: assets) as the daily sync last saw them.';
COMMENT ON COLUMN vehicles.engine_hours IS 'The ISO 8601 duration as MiX wrote it; engine_seconds is the same as a number.';

CREATE TABLE event_types (
    organisation_id bigint NOT NULL REFERENCES organisations ON DELETE CASCADE,
    external_id     bigint NOT NULL,
    description     text,
    event_type      text,
    display_units   text,
    format_type     text,
    value_name      text,
    extra           jsonb,
    family          text,
    is_infraction   boolean NOT NULL DEFAULT false,
    classification_origin text NOT NULL DEFAULT 'default' CHECK (classification_origin IN ('default', 'person')),
    classified_by   text,
    classified_at   timestamptz,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    removed_at      timestamptz,
    PRIMARY KEY (organisation_id, external_id)
);
COMMENT ON TABLE event_types IS 'The event-type library, and which types count as infractions.';
COMMENT ON COLUMN event_types.classification_origin IS 'default: proposed from the description when the type first appeared; person: decided through the API, never touched by a sync.';

CREATE TABLE sites (
    organisation_id bigint NOT NULL REFERENCES organisations ON DELETE CASCADE,
    external_id     bigint NOT NULL,
    parent_external_id bigint,
    name            text,
    type            text,
    extra           jsonb,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    removed_at      timestamptz,
    PRIMARY KEY (organisation_id, external_id)
);
COMMENT ON TABLE sites IS 'The tree of sites below each organisation.';

-- No foreign keys: every event is stored, whatever the state of the support tables.
CREATE TABLE telemetry_events (
    organisation_id            bigint      NOT NULL,
    external_id                bigint      NOT NULL,
    occurred_at                timestamptz NOT NULL,
    observed_at                timestamptz NOT NULL,
    raw_page_id                bigint      NOT NULL,
    driver_external_id         bigint,
    reported_driver_external_id bigint,
    vehicle_external_id        bigint,
    event_type_external_id     bigint,
    event_category             text,
    started_at                 timestamptz,
    ended_at                   timestamptz,
    start_odometer_km          numeric,
    end_odometer_km            numeric,
    value                      double precision,
    value_type                 text,
    value_units                text,
    fuel_used_litres           double precision,
    total_time_seconds         bigint,
    total_occurrences          bigint,
    media_urls                 jsonb,
    location_external_id       bigint,
    speed_limit                double precision,
    start_position_id          bigint,
    start_position_vehicle_external_id bigint,
    start_position_driver_external_id  bigint,
    start_position_at          timestamptz,
    start_latitude             double precision,
    start_longitude            double precision,
    start_speed_kmh            double precision,
    start_position_speed_limit double precision,
    start_altitude_metres      integer,
    start_heading              integer,
    start_satellites           integer,
    start_hdop                 integer,
    start_vdop                 integer,
    start_pdop                 integer,
    start_age_of_reading_seconds integer,
    start_distance_since_reading_km integer,
    start_position_odometer_km numeric,
    start_address              text,
    start_position_source      text,
    start_is_avl               boolean,
    end_position_id            bigint,
    end_position_vehicle_external_id bigint,
    end_position_driver_external_id  bigint,
    end_position_at            timestamptz,
    end_latitude               double precision,
    end_longitude              double precision,
    end_speed_kmh              double precision,
    end_position_speed_limit   double precision,
    end_altitude_metres        integer,
    end_heading                integer,
    end_satellites             integer,
    end_hdop                   integer,
    end_vdop                   integer,
    end_pdop                   integer,
    end_age_of_reading_seconds integer,
    end_distance_since_reading_km integer,
    end_position_odometer_km   numeric,
    end_address                text,
    end_position_source        text,
    end_is_avl                 boolean,
    extra                      jsonb,
    PRIMARY KEY (organisation_id, external_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
COMMENT ON TABLE telemetry_events IS 'Every telemetry event, once, in partitions by month of occurred_at (UTC).';
COMMENT ON COLUMN telemetry_events.occurred_at IS 'started_at, or else ended_at, the time of a position, or the first observed_at.';
COMMENT ON COLUMN telemetry_events.observed_at IS 'Database time when the request was sent whose answer holds this version.';
COMMENT ON COLUMN telemetry_events.driver_external_id IS 'Whom the event counts against today; reported_driver_external_id is what the feed said.';
COMMENT ON COLUMN telemetry_events.extra IS 'Fields of the feed that this schema does not know, as they came.';
CREATE INDEX telemetry_events_driver ON telemetry_events
    (organisation_id, driver_external_id, occurred_at DESC, external_id DESC);
CREATE TABLE telemetry_events_default PARTITION OF telemetry_events DEFAULT;

CREATE TABLE event_keys (
    organisation_id bigint      NOT NULL,
    external_id     bigint      NOT NULL,
    occurred_at     timestamptz NOT NULL,
    observed_at     timestamptz NOT NULL,
    digest          bigint      NOT NULL,
    PRIMARY KEY (organisation_id, external_id)
);
COMMENT ON TABLE event_keys IS 'The identity of each event: what makes it be stored once, and where its row is.';
COMMENT ON COLUMN event_keys.digest IS '8 bytes of BLAKE2b over the record''s own bytes in the answer.';

CREATE TABLE raw_pages (
    id              bigint GENERATED ALWAYS AS IDENTITY,
    organisation_id bigint      NOT NULL,
    feed            text        NOT NULL,
    observed_at     timestamptz NOT NULL,
    requested_token text,
    next_token      text,
    has_more_items  boolean,
    records         integer     NOT NULL,
    body_bytes      integer     NOT NULL,
    body            bytea       NOT NULL,
    PRIMARY KEY (id, observed_at)
) PARTITION BY RANGE (observed_at);
ALTER TABLE raw_pages ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE raw_pages IS 'Each answer that carries events, byte for byte, compressed with zstd.';
CREATE INDEX raw_pages_organisation ON raw_pages (organisation_id, observed_at);
CREATE TABLE raw_pages_default PARTITION OF raw_pages DEFAULT;

CREATE TABLE quarantined_records (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint      NOT NULL,
    feed            text        NOT NULL,
    digest          bigint      NOT NULL,
    external_id     bigint,
    reason          text        NOT NULL,
    record          bytea       NOT NULL,
    raw_page_id     bigint      NOT NULL,
    observed_at     timestamptz NOT NULL,
    resolved_at     timestamptz,
    UNIQUE (organisation_id, feed, digest)
);
COMMENT ON TABLE quarantined_records IS 'Records that could not be stored typed: their own bytes and the reason. The rest of their page was stored.';

CREATE TABLE etl_control (
    organisation_id           bigint      NOT NULL REFERENCES organisations ON DELETE CASCADE,
    feed                      text        NOT NULL,
    last_successful_sincetoken text,
    token_received_at         timestamptz,
    not_before                timestamptz,
    has_more_items            boolean,
    last_poll_at              timestamptz,
    last_data_at              timestamptz,
    caught_up_at              timestamptz,
    consecutive_errors        integer     NOT NULL DEFAULT 0,
    last_error                text,
    last_error_at             timestamptz,
    updated_at                timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation_id, feed)
);
COMMENT ON TABLE etl_control IS 'Per organisation and feed: how far the haul has come.';
COMMENT ON COLUMN etl_control.last_successful_sincetoken IS 'A token that MiX returned, byte for byte; committed together with the page that brought it.';
COMMENT ON COLUMN etl_control.not_before IS 'No feed request before this time: the pause that MiX asks for outlives the process.';
COMMENT ON COLUMN etl_control.caught_up_at IS 'When MiX last said that there is no more.';

CREATE TABLE api_credentials (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity_url      text   NOT NULL,
    client_id         text   NOT NULL,
    username          text   NOT NULL,
    revision          text   NOT NULL,
    generation        bigint NOT NULL DEFAULT 0,
    access_token      bytea,
    refresh_token     bytea,
    access_expires_at timestamptz,
    intent_grant      text CHECK (intent_grant IN ('password', 'refresh_token')),
    intent_holder     text,
    intent_deadline   timestamptz,
    refused_revision  text,
    refused_until     timestamptz,
    refused_error     text,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (identity_url, client_id, username)
);
COMMENT ON TABLE api_credentials IS 'One login at the identity server, shared by all processes. Tokens are encrypted.';
COMMENT ON COLUMN api_credentials.revision IS 'HMAC of the four values of the Secret: tells that it changed without storing it.';
COMMENT ON COLUMN api_credentials.intent_deadline IS 'A token request is under way until then. Past it without an outcome, the refresh token may be spent.';

CREATE TABLE request_budgets (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key                 text    NOT NULL UNIQUE,
    closed_until        timestamptz
);
COMMENT ON TABLE request_budgets IS 'Whose calls are counted together: an organisation, or a login for identity and organisation groups. Its row lock serialises grants.';

CREATE TABLE request_permits (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    budget_id   bigint      NOT NULL REFERENCES request_budgets ON DELETE CASCADE,
    priority    text        NOT NULL,
    holder      text        NOT NULL,
    granted_at  timestamptz NOT NULL,
    frees_at    timestamptz NOT NULL
);
COMMENT ON TABLE request_permits IS 'A permit for one call to MiX; it occupies a slot until frees_at: 60 s after its answer, 72 s after its grant where no answer is known.';
CREATE INDEX request_permits_budget ON request_permits (budget_id, frees_at);

CREATE TABLE leader_epochs (
    lease       text PRIMARY KEY,
    epoch       bigint NOT NULL,
    holder      text   NOT NULL,
    acquired_at timestamptz NOT NULL
);
COMMENT ON TABLE leader_epochs IS 'Who may write. A page transaction holds this row and commits only if the epoch is still its own.';

CREATE TABLE leader_heartbeats (
    lease      text PRIMARY KEY REFERENCES leader_epochs ON DELETE CASCADE,
    epoch      bigint NOT NULL,
    holder     text   NOT NULL,
    renewed_at timestamptz NOT NULL,
    duration_seconds double precision NOT NULL
);
COMMENT ON TABLE leader_heartbeats IS 'That the leader lives. Apart from leader_epochs, whose row is held by page transactions.';

CREATE TABLE gaps (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id bigint      NOT NULL REFERENCES organisations ON DELETE CASCADE,
    feed            text        NOT NULL,
    from_time       timestamptz NOT NULL,
    to_time         timestamptz NOT NULL,
    cause           text        NOT NULL,
    state           text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    attempts        integer     NOT NULL DEFAULT 0,
    filled_up_to    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    closed_at       timestamptz,
    CHECK (from_time < to_time)
);
COMMENT ON TABLE gaps IS 'Intervals of creation time that the stream may have missed.';
CREATE INDEX gaps_open ON gaps (organisation_id, feed) WHERE state = 'open';

CREATE TABLE sync_runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text        NOT NULL,
    organisation_id bigint REFERENCES organisations ON DELETE CASCADE,
    reason      text        NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    result      text CHECK (result IN ('succeeded', 'failed')),
    error       text,
    counts      jsonb
);
COMMENT ON TABLE sync_runs IS 'Each run of the support-data sync: one row an organisation, and one without where the whole run failed.';
CREATE INDEX sync_runs_source ON sync_runs (source, started_at DESC);

CREATE TABLE upstream_totals (
    source text   NOT NULL,
    metric text   NOT NULL,
    labels text   NOT NULL DEFAULT '',
    value  double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (source, metric, labels)
);
COMMENT ON TABLE upstream_totals IS 'Monotonic counters of batch work, exported by a process that lives.';

CREATE TABLE work_requests (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text        NOT NULL,
    request_id   text        NOT NULL,
    kind         text        NOT NULL,
    parameters   jsonb       NOT NULL DEFAULT '{}',
    state        text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'succeeded', 'failed')),
    message      text,
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    UNIQUE (source, request_id)
);
COMMENT ON TABLE work_requests IS 'Work asked for by annotation, CLI or the stream itself; the leader executes it.';

CREATE TABLE audit_log (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    organisation_id bigint,
    actor           text        NOT NULL,
    action          text        NOT NULL,
    subject         text,
    request_id      text,
    details         jsonb
);
COMMENT ON TABLE audit_log IS 'Who changed or saw what through the API. The API may only append.';
