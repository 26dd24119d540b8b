-- The SQL of each version of the ledger's tables, frozen once released.
--
-- {serial}, {bytes} and {by_key} are the only words in which SQLite and PostgreSQL differ here. To
-- change the tables, add a version at the end and change schema.py likewise; never edit an older
-- one.

-- version 1
CREATE TABLE syncs (
    id TEXT NOT NULL PRIMARY KEY,
    config TEXT NOT NULL,
    workspace_id BIGINT NOT NULL,
    feed TEXT NOT NULL,
    generation INTEGER NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE switches (
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    export TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    paused_at BIGINT,
    resumed_at BIGINT,
    PRIMARY KEY (sync_id, export)
);
CREATE TABLE cuts (
    at BIGINT NOT NULL PRIMARY KEY,
    tables TEXT NOT NULL
);
CREATE TABLE positions (
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    export TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at BIGINT NOT NULL REFERENCES cuts (at),
    moved_at BIGINT NOT NULL,
    PRIMARY KEY (sync_id, export, generation)
);
CREATE TABLE sequences (
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    export TEXT NOT NULL,
    series TEXT NOT NULL,
    next BIGINT NOT NULL,
    PRIMARY KEY (sync_id, export, series)
);
CREATE TABLE plans (
    id {serial},
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    workspace_id BIGINT NOT NULL,
    export TEXT NOT NULL,
    version INTEGER NOT NULL,
    timestamp_unit TEXT NOT NULL,
    stem TEXT NOT NULL,
    generation INTEGER NOT NULL,
    mode TEXT NOT NULL,
    lower_at BIGINT REFERENCES cuts (at),
    upper_at BIGINT NOT NULL REFERENCES cuts (at),
    floor BIGINT,
    first TEXT NOT NULL,
    rows_per_file BIGINT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    resolved TEXT,
    opened_at BIGINT NOT NULL,
    sealed_at BIGINT,
    closed_at BIGINT,
    commit_number BIGINT
);
CREATE UNIQUE INDEX one_unfinished_plan ON plans (sync_id, export)
WHERE state IN ('open', 'sealed');
CREATE TABLE files (
    plan_id BIGINT NOT NULL REFERENCES plans (id),
    number INTEGER NOT NULL,
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    key TEXT NOT NULL,
    series TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    part BIGINT,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    min_time BIGINT,
    max_time BIGINT,
    spool TEXT NOT NULL,
    manifest_ordinal BIGINT,
    PRIMARY KEY (plan_id, number),
    CONSTRAINT one_plan_per_key UNIQUE (sync_id, key)
);
CREATE INDEX unlisted_files ON files (sync_id) WHERE manifest_ordinal IS NULL;
CREATE TABLE voids (
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    export TEXT NOT NULL,
    series TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    manifest_ordinal BIGINT,
    PRIMARY KEY (sync_id, export, series, sequence)
);
CREATE TABLE manifests (
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    ordinal BIGINT NOT NULL,
    digest TEXT NOT NULL,
    body {bytes} NOT NULL,
    put_at BIGINT,
    PRIMARY KEY (sync_id, ordinal)
);
CREATE TABLE leases (
    sync_id TEXT NOT NULL,
    export TEXT NOT NULL,
    owner TEXT,
    token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (sync_id, export)
);
CREATE TABLE errors (
    sync_id TEXT NOT NULL,
    export TEXT NOT NULL,
    window_end BIGINT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    at BIGINT NOT NULL,
    overtaken BOOLEAN NOT NULL,
    PRIMARY KEY (sync_id, export, window_end)
);
CREATE INDEX errors_by_window ON errors (window_end);
CREATE TABLE quarantine (
    id {serial},
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    export TEXT NOT NULL,
    workspace_id BIGINT NOT NULL,
    identity TEXT NOT NULL,
    reason TEXT NOT NULL,
    digest TEXT NOT NULL,
    count BIGINT NOT NULL,
    window_end BIGINT NOT NULL,
    plan_id BIGINT NOT NULL REFERENCES plans (id),
    state TEXT NOT NULL
);
CREATE UNIQUE INDEX one_open_entry ON quarantine (sync_id, export, digest)
WHERE state = 'open';
CREATE TABLE attempts (
    lane TEXT NOT NULL,
    key TEXT NOT NULL,
    count BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (lane, key)
);
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('commit', 0);

-- version 2
ALTER TABLE plans ADD COLUMN slices INTEGER NOT NULL DEFAULT 1;
ALTER TABLE plans ADD COLUMN slice_rows BIGINT;
ALTER TABLE plans ADD COLUMN slice INTEGER NOT NULL DEFAULT 0;
UPDATE plans SET slice = 1 WHERE state = 'committed';
ALTER TABLE files ADD COLUMN slice INTEGER NOT NULL DEFAULT 0;

-- version 3
ALTER TABLE plans ADD COLUMN layout TEXT NOT NULL DEFAULT 'flat';
ALTER TABLE syncs ADD COLUMN disabled_at BIGINT;
ALTER TABLE syncs ADD COLUMN first_manifest BIGINT NOT NULL DEFAULT 1;
CREATE TABLE sync_history (
    id {serial},
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
);
CREATE INDEX history_of_a_sync ON sync_history (sync_id, id);

-- version 4
-- SQLite cannot drop a constraint, here UNIQUE (sync_id, key).
CREATE TABLE files_again (
    plan_id BIGINT NOT NULL REFERENCES plans (id),
    number INTEGER NOT NULL,
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    key TEXT NOT NULL,
    series TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    part BIGINT,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    min_time BIGINT,
    max_time BIGINT,
    spool TEXT NOT NULL,
    manifest_ordinal BIGINT,
    slice INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (plan_id, number)
);
INSERT INTO files_again (
    plan_id, number, sync_id, key, series, sequence, part, rows, bytes, sha256, min_time,
    max_time, spool, manifest_ordinal, slice
)
SELECT plan_id, number, sync_id, key, series, sequence, part, rows, bytes, sha256, min_time,
    max_time, spool, manifest_ordinal, slice
FROM files;
DROP TABLE files;
ALTER TABLE files_again RENAME TO files;
CREATE INDEX unlisted_files ON files (sync_id) WHERE manifest_ordinal IS NULL;
CREATE UNIQUE INDEX one_number_per_key ON files (sync_id, key, sequence);

-- version 5
CREATE TABLE breakers (
    sync_id TEXT NOT NULL REFERENCES syncs (id) PRIMARY KEY,
    state TEXT NOT NULL,
    failures INTEGER NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    run TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL
);

-- version 6
CREATE INDEX unput_manifests ON manifests (sync_id) WHERE put_at IS NULL;

-- version 7
ALTER TABLE cuts ADD COLUMN more TEXT;
INSERT INTO counters (name, value) VALUES ('cuts', 0);

-- version 8
ALTER TABLE plans ADD COLUMN begun_at BIGINT;
CREATE INDEX initial_plans ON plans (export, sync_id) WHERE mode = 'initial';
CREATE TABLE gone_people (
    workspace_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    export TEXT NOT NULL,
    part TEXT NOT NULL,
    people {bytes} NOT NULL,
    PRIMARY KEY (workspace_id, at, export, part)
);

-- version 9
CREATE TABLE breaches (
    source_table TEXT NOT NULL,
    kind TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    windows BIGINT NOT NULL,
    last_rows BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    PRIMARY KEY (source_table, kind)
);

-- version 10
-- An error is a state now. 10 minutes are not longer than any feed's window.
CREATE TABLE errors_again (
    sync_id TEXT NOT NULL,
    export TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    windows BIGINT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (sync_id, export)
);
INSERT INTO errors_again (sync_id, export, since, until, windows, kind, message)
SELECT old.sync_id, old.export, state.first - 600000000, state.last, state.windows,
    old.kind, old.message
FROM errors AS old
JOIN (
    SELECT sync_id, export, MIN(window_end) AS first, MAX(window_end) AS last,
        COUNT(*) AS windows
    FROM errors
    WHERE NOT overtaken
    GROUP BY sync_id, export
) AS state
ON old.sync_id = state.sync_id AND old.export = state.export AND old.window_end = state.last;
DROP TABLE errors;
ALTER TABLE errors_again RENAME TO errors;

-- version 11
CREATE INDEX entries_of_a_pair ON quarantine (sync_id, export, window_end);
CREATE INDEX entries_of_a_plan ON quarantine (plan_id);
CREATE TABLE quarantine_bulk (
    id {serial},
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    export TEXT NOT NULL,
    plan_id BIGINT NOT NULL,
    window_end BIGINT NOT NULL,
    reasons TEXT NOT NULL,
    body {bytes} NOT NULL
);
CREATE INDEX bulk_of_a_pair ON quarantine_bulk (sync_id, export);
CREATE INDEX bulk_of_a_plan ON quarantine_bulk (plan_id);

-- version 12
ALTER TABLE manifests ADD COLUMN bytes BIGINT;
CREATE INDEX whole_manifests ON manifests (put_at) WHERE bytes IS NULL;

-- version 13
ALTER TABLE plans ADD COLUMN producer TEXT NOT NULL DEFAULT 'cio-pipeline 0.1.0';

-- version 14
-- A file is committed exactly if a manifest lists it. What was committed before and is in no
-- manifest yet is marked with 0: the next one lists it, see `open.list_what_was_left`.
UPDATE files SET manifest_ordinal = 0
WHERE manifest_ordinal IS NULL AND EXISTS (
    SELECT 1 FROM plans
    WHERE plans.id = files.plan_id
        AND (plans.state = 'committed' OR files.slice < plans.slice)
);
INSERT INTO counters (name, value) VALUES ('unlisted', 1);
DROP INDEX unlisted_files;
ALTER TABLE files DROP COLUMN slice;
ALTER TABLE plans DROP COLUMN commit_number;
DROP INDEX one_unfinished_plan;
CREATE UNIQUE INDEX one_unfinished_plan ON plans (sync_id, export)
WHERE state IN ('open', 'sealed', 'delivered');

-- version 15
ALTER TABLE plans ADD COLUMN contract TEXT;
CREATE TABLE contracts (digest TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL);

-- version 16
CREATE TABLE alert_incidents (
    id {serial},
    check_name TEXT NOT NULL,
    sync_id TEXT NOT NULL,
    export TEXT NOT NULL,
    about TEXT NOT NULL,
    owner TEXT,
    severity TEXT NOT NULL,
    says TEXT NOT NULL,
    cause TEXT NOT NULL,
    command TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    gone_since BIGINT,
    closed_at BIGINT
);
CREATE UNIQUE INDEX one_open_incident ON alert_incidents (check_name, sync_id, export, about)
WHERE closed_at IS NULL;
CREATE INDEX closed_incidents ON alert_incidents (closed_at);
CREATE TABLE alert_told (
    incident_id BIGINT NOT NULL REFERENCES alert_incidents (id),
    target TEXT NOT NULL,
    over_at BIGINT,
    PRIMARY KEY (incident_id, target)
);
CREATE INDEX untold_ends ON alert_told (incident_id) WHERE over_at IS NULL;
CREATE TABLE alert_targets (
    target TEXT NOT NULL PRIMARY KEY,
    next_at BIGINT NOT NULL,
    digest_at BIGINT NOT NULL,
    failures INTEGER NOT NULL,
    since BIGINT,
    problem TEXT NOT NULL
);

-- version 17
ALTER TABLE files ADD COLUMN counts TEXT;
CREATE TABLE volumes (
    length BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    sync_id TEXT NOT NULL,
    export TEXT NOT NULL,
    kind TEXT NOT NULL,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (length, ends_at, sync_id, export, kind)
) {by_key};
CREATE TABLE source_columns (
    source_table TEXT NOT NULL PRIMARY KEY,
    columns TEXT NOT NULL,
    before TEXT,
    changed_at BIGINT NOT NULL
);
CREATE TABLE bucket_looks (
    sync_id TEXT NOT NULL PRIMARY KEY,
    looked_at BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    missing BIGINT NOT NULL,
    named TEXT NOT NULL
);

-- version 18
CREATE TABLE rewrites (
    id {serial},
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    key TEXT NOT NULL,
    before TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    spool TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL,
    manifest_ordinal BIGINT
);
CREATE INDEX rewrites_of_a_sync ON rewrites (sync_id, key);
CREATE INDEX rewrites_under_way ON rewrites (sync_id) WHERE manifest_ordinal IS NULL;
CREATE INDEX rewrites_of_a_subject ON rewrites (subject);

-- version 19
ALTER TABLE plans ADD COLUMN until_at BIGINT;

-- version 20
CREATE TABLE differences (
    sync_id TEXT NOT NULL,
    export TEXT NOT NULL,
    day BIGINT NOT NULL,
    "start" BIGINT NOT NULL,
    "end" BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    sent BIGINT NOT NULL,
    held BIGINT NOT NULL,
    wrong TEXT NOT NULL,
    keys_differ BOOLEAN NOT NULL,
    ranges BIGINT NOT NULL,
    PRIMARY KEY (sync_id, export, day)
) {by_key};
