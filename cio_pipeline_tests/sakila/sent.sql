-- What lies in the buckets, read as any reader could: Parquet files and manifests, by DuckDB alone.
-- Variable: bucket (the folder that holds a folder for each sync).

CREATE TABLE manifests AS
SELECT regexp_extract(filename, '([^/]+)/_cio/', 1) AS sync_id, ordinal, files
FROM read_json(
    getvariable('bucket') || '/*/_cio/*.manifest',
    format = 'unstructured',
    filename = true,
    columns = {
        ordinal: 'INT',
        files: 'STRUCT("key" VARCHAR, export VARCHAR, series VARCHAR, "rows" BIGINT, "mode" VARCHAR, window_end VARCHAR)[]'
    }
);

CREATE TABLE listed AS
SELECT
    sync_id,
    ordinal,
    file.*,
    (epoch(file.window_end[:19]::TIMESTAMP) - epoch(TIMESTAMP '2026-03-02 09:15:00')) // 900
        AS "window"
FROM (SELECT sync_id, ordinal, unnest(files) AS file FROM manifests);

-- Every file with the parts of its name; null where a name is of another form.
CREATE TABLE files AS
SELECT
    regexp_extract(file, '([^/]+)/[^/]+$', 1) AS sync_id,
    regexp_extract(file, '[^/]+$') AS "key",
    regexp_extract("key", '^([a-z_]+)_v\d_(?:chngs_)?1_\d+\.parquet$', 1) AS stem,
    regexp_extract("key", '_v(\d)_', 1)::INT AS version,
    contains("key", '_chngs_') AS chngs,
    regexp_extract("key", '_1_(\d+)\.parquet$', 1)::BIGINT AS sequence
FROM glob(getvariable('bucket') || '/*/*');

CREATE TABLE files_of_windows AS
SELECT sync_id, "key", "window", series, sequence FROM listed JOIN files USING (sync_id, "key");

CREATE MACRO rows_of(pattern) AS TABLE
SELECT content.* EXCLUDE (filename), files_of_windows.*
FROM read_parquet(getvariable('bucket') || pattern, filename = true) AS content
JOIN files_of_windows
    ON suffix(content.filename, files_of_windows.sync_id || '/' || files_of_windows."key");

CREATE TABLE sent_people AS FROM rows_of('/*/people_v*.parquet');
CREATE TABLE sent_attributes AS FROM rows_of('/*/attributes_v*.parquet');
CREATE TABLE sent_events AS FROM rows_of('/*/events_v*.parquet');

-- The same in the columns and types of expected.sql.
CREATE VIEW people_rows AS
SELECT
    sync_id, "window", series, customer_id, internal_customer_id, deleted, suppressed,
    epoch_us(created_at) AS created_at, epoch_us(updated_at) AS updated_at, email_addr
FROM sent_people WHERE workspace_id = 1;

CREATE VIEW attribute_rows AS
SELECT
    sync_id, "window", internal_customer_id, attribute_name, attribute_value,
    epoch_us(timestamp) AS timestamp
FROM sent_attributes WHERE workspace_id = 1;

CREATE VIEW event_rows AS
SELECT
    sync_id, "window", event_id, internal_customer_id, name, type, data,
    epoch_us(timestamp) AS timestamp, epoch_us(processed_at) AS processed_at, sources, source_uas
FROM sent_events WHERE workspace_id = 1;

-- What a reader holds after loading everything: the newest row of each entity key (D1).
CREATE VIEW merged_people AS
SELECT
    sync_id, customer_id, internal_customer_id, deleted, suppressed,
    epoch_us(created_at) AS created_at, epoch_us(updated_at) AS updated_at, email_addr
FROM sent_people
QUALIFY row_number() OVER (
    PARTITION BY sync_id, internal_customer_id
    ORDER BY updated_at DESC, series = 'chngs' DESC, sequence DESC
) = 1;

CREATE VIEW merged_attributes AS
SELECT
    sync_id, internal_customer_id, attribute_name, attribute_value,
    epoch_us(timestamp) AS timestamp
FROM sent_attributes
QUALIFY row_number() OVER (
    PARTITION BY sync_id, internal_customer_id, attribute_name
    ORDER BY timestamp DESC, sequence DESC
) = 1;

-- Both syncs, without what their versions may differ in.
CREATE VIEW people_of_v4 AS
SELECT * EXCLUDE (sync_id, created_at) FROM people_rows WHERE sync_id = 'sakila-v4';

CREATE VIEW people_of_v5 AS
SELECT * EXCLUDE (sync_id, created_at) FROM people_rows WHERE sync_id = 'sakila-v5';

CREATE VIEW attributes_of_v4 AS
SELECT * EXCLUDE (sync_id) FROM attribute_rows WHERE sync_id = 'sakila-v4';

CREATE VIEW attributes_of_v5 AS
SELECT * EXCLUDE (sync_id) FROM attribute_rows WHERE sync_id = 'sakila-v5';
