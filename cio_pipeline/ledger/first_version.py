"""The tables that ledgers began with, frozen: see `versions`."""

VERSION_1 = (
    """
    CREATE TABLE syncs (
        id TEXT NOT NULL PRIMARY KEY,
        config TEXT NOT NULL,
        workspace_id BIGINT NOT NULL,
        feed TEXT NOT NULL,
        generation INTEGER NOT NULL,
        created_at BIGINT NOT NULL
    )""",
    """
    CREATE TABLE switches (
        sync_id TEXT NOT NULL REFERENCES syncs (id),
        export TEXT NOT NULL,
        enabled BOOLEAN NOT NULL,
        paused_at BIGINT,
        resumed_at BIGINT,
        PRIMARY KEY (sync_id, export)
    )""",
    """
    CREATE TABLE cuts (
        at BIGINT NOT NULL PRIMARY KEY,
        tables TEXT NOT NULL
    )""",
    """
    CREATE TABLE positions (
        sync_id TEXT NOT NULL REFERENCES syncs (id),
        export TEXT NOT NULL,
        generation INTEGER NOT NULL,
        at BIGINT NOT NULL REFERENCES cuts (at),
        moved_at BIGINT NOT NULL,
        PRIMARY KEY (sync_id, export, generation)
    )""",
    """
    CREATE TABLE sequences (
        sync_id TEXT NOT NULL REFERENCES syncs (id),
        export TEXT NOT NULL,
        series TEXT NOT NULL,
        next BIGINT NOT NULL,
        PRIMARY KEY (sync_id, export, series)
    )""",
    """
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
    )""",
    """
    CREATE UNIQUE INDEX one_unfinished_plan ON plans (sync_id, export)
    WHERE state IN ('open', 'sealed')""",
    """
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
    )""",
    "CREATE INDEX unlisted_files ON files (sync_id) WHERE manifest_ordinal IS NULL",
    """
    CREATE TABLE voids (
        sync_id TEXT NOT NULL REFERENCES syncs (id),
        export TEXT NOT NULL,
        series TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        manifest_ordinal BIGINT,
        PRIMARY KEY (sync_id, export, series, sequence)
    )""",
    """
    CREATE TABLE manifests (
        sync_id TEXT NOT NULL REFERENCES syncs (id),
        ordinal BIGINT NOT NULL,
        digest TEXT NOT NULL,
        body {bytes} NOT NULL,
        put_at BIGINT,
        PRIMARY KEY (sync_id, ordinal)
    )""",
    """
    CREATE TABLE leases (
        sync_id TEXT NOT NULL,
        export TEXT NOT NULL,
        owner TEXT,
        token BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        PRIMARY KEY (sync_id, export)
    )""",
    """
    CREATE TABLE errors (
        sync_id TEXT NOT NULL,
        export TEXT NOT NULL,
        window_end BIGINT NOT NULL,
        kind TEXT NOT NULL,
        message TEXT NOT NULL,
        at BIGINT NOT NULL,
        overtaken BOOLEAN NOT NULL,
        PRIMARY KEY (sync_id, export, window_end)
    )""",
    "CREATE INDEX errors_by_window ON errors (window_end)",
    """
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
    )""",
    """
    CREATE UNIQUE INDEX one_open_entry ON quarantine (sync_id, export, digest)
    WHERE state = 'open'""",
    """
    CREATE TABLE attempts (
        lane TEXT NOT NULL,
        key TEXT NOT NULL,
        count BIGINT NOT NULL,
        last_at BIGINT NOT NULL,
        PRIMARY KEY (lane, key)
    )""",
    """
    CREATE TABLE counters (
        name TEXT NOT NULL PRIMARY KEY,
        value BIGINT NOT NULL
    )""",
    "INSERT INTO counters (name, value) VALUES ('commit', 0)",
)
