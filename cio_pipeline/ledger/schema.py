"""The tables as the code sees them.

How a database gets them is in `versions`; a test holds the two together.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    literal_column,
)

from cio_pipeline.ledger.statements import (
    UtcTime,
    Word,
    index_where,
    number,
    sync_id,
    unique_while,
)
from cio_pipeline.model.breakers import BreakerState
from cio_pipeline.model.plans import Mode, PlanState, Series

metadata = MetaData()

syncs = Table(
    "syncs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("config", Text, nullable=False),
    Column("workspace_id", BigInteger, nullable=False),
    Column("feed", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),
    # The ordinal that the chain begins with where the sync's files go now.
    Column("first_manifest", BigInteger, nullable=False, server_default="1"),
)

sync_history = Table(
    "sync_history",
    metadata,
    number(),
    sync_id(),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Index("history_of_a_sync", "sync_id", "id"),
    sqlite_autoincrement=True,
)

switches = Table(
    "switches",
    metadata,
    sync_id(primary=True),
    Column("export", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("paused_at", UtcTime),
    Column("resumed_at", UtcTime),
)

cuts = Table(
    "cuts",
    metadata,
    Column("at", UtcTime, primary_key=True, autoincrement=False),
    Column("tables", Text, nullable=False),
    # What was there besides, and which tables could not be read: JSON, if there is any.
    Column("more", Text),
)

positions = Table(
    "positions",
    metadata,
    sync_id(primary=True),
    Column("export", Text, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, ForeignKey("cuts.at"), nullable=False),
    Column("moved_at", UtcTime, nullable=False),
)

sequences = Table(
    "sequences",
    metadata,
    sync_id(primary=True),
    Column("export", Text, primary_key=True),
    Column("series", Word(Series), primary_key=True),
    Column("next", BigInteger, nullable=False),
)

UNFINISHED = ("open", "sealed", "delivered")
"""States of a plan that is resumed, never replaced."""

plans = Table(
    "plans",
    metadata,
    number(),
    sync_id(),
    Column("workspace_id", BigInteger, nullable=False),
    Column("export", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("timestamp_unit", Text, nullable=False),
    Column("stem", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("mode", Word(Mode), nullable=False),
    Column("lower_at", UtcTime, ForeignKey("cuts.at")),
    Column("upper_at", UtcTime, ForeignKey("cuts.at"), nullable=False),
    Column("floor", UtcTime),
    Column("first", Text, nullable=False),
    Column("rows_per_file", BigInteger, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("state", Word(PlanState), nullable=False),
    Column("resolved", Text),
    Column("opened_at", UtcTime, nullable=False),
    Column("sealed_at", UtcTime),
    Column("closed_at", UtcTime),
    Column("slices", Integer, nullable=False, server_default="1"),
    Column("slice_rows", BigInteger),
    # How many slices were committed.
    Column("slice", Integer, nullable=False, server_default="0"),
    Column("layout", Text, nullable=False, server_default="flat"),
    Column("begun_at", UtcTime),
    Column("producer", Text, nullable=False, server_default="cio-pipeline 0.1.0"),
    # The terms that it was made under, in `contracts`.
    Column("contract", Text),
    # What a replay leaves out changed up to this cut.
    Column("until_at", UtcTime),
    unique_while(
        "state IN ('open', 'sealed', 'delivered')", "one_unfinished_plan", "sync_id", "export"
    ),
    index_where("mode = 'initial'", "initial_plans", "export", "sync_id"),
    sqlite_autoincrement=True,
)

IS_UNFINISHED = plans.c.state.in_([literal_column(f"'{state}'") for state in UNFINISHED])
"""Whether a plan is unfinished.

With the states in the statement's text: only then does SQLite see that the index of unfinished
plans will do, and does not walk through all plans there ever were.
"""

IS_INITIAL = plans.c.mode == literal_column("'initial'")
"""Whether a plan is of an initial export; in the statement's text, as above."""

contracts = Table(
    "contracts",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("plan_id", BigInteger, ForeignKey("plans.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    sync_id(),
    Column("key", Text, nullable=False),
    Column("series", Word(Series), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("part", BigInteger),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("min_time", UtcTime),
    Column("max_time", UtcTime),
    Column("spool", Text, nullable=False),
    # The manifest that lists it: only then is it committed.
    Column("manifest_ordinal", BigInteger),
    # Of the first file of a slice until then: kinds of rows and their number, JSON.
    Column("counts", Text),
    # Equal keys are the messages feed's (M4); each has a number of its own.
    Index("one_number_per_key", "sync_id", "key", "sequence", unique=True),
)

IS_COMMITTED = files.c.manifest_ordinal.is_not(None)
"""Whether a file was committed: a manifest lists it."""

voids = Table(
    "voids",
    metadata,
    sync_id(primary=True),
    Column("export", Text, primary_key=True),
    Column("series", Word(Series), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("manifest_ordinal", BigInteger),
)

manifests = Table(
    "manifests",
    metadata,
    sync_id(primary=True),
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("put_at", UtcTime),
    # How many the body had, once it is pruned: the bucket alone has it then.
    Column("bytes", BigInteger),
    index_where("put_at IS NULL", "unput_manifests", "sync_id"),
    index_where("bytes IS NULL", "whole_manifests", "put_at"),
)

rewrites = Table(
    "rewrites",
    metadata,
    number(),
    sync_id(),
    Column("key", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("spool", Text, nullable=False),
    # Whom it was rewritten for, as a digest.
    Column("subject", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    # The manifest that tells of it.
    Column("manifest_ordinal", BigInteger),
    Index("rewrites_of_a_sync", "sync_id", "key"),
    index_where("manifest_ordinal IS NULL", "rewrites_under_way", "sync_id"),
    Index("rewrites_of_a_subject", "subject"),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("sync_id", Text, primary_key=True),
    Column("export", Text, primary_key=True),
    Column("owner", Text),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)

errors = Table(
    "errors",
    metadata,
    Column("sync_id", Text, primary_key=True),
    Column("export", Text, primary_key=True),
    # It failed in the windows that end in (since, until]: in so many, as seen in the latest.
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("windows", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    number(),
    sync_id(),
    Column("export", Text, nullable=False),
    Column("workspace_id", BigInteger, nullable=False),
    Column("identity", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # Identities can be longer than an index entry of PostgreSQL may be (2,704 bytes).
    Column("digest", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("window_end", UtcTime, nullable=False),
    Column("plan_id", BigInteger, ForeignKey("plans.id"), nullable=False),
    Column("state", Text, nullable=False),
    unique_while("state = 'open'", "one_open_entry", "sync_id", "export", "digest"),
    Index("entries_of_a_pair", "sync_id", "export", "window_end"),
    Index("entries_of_a_plan", "plan_id"),
    sqlite_autoincrement=True,
)

quarantine_bulk = Table(
    "quarantine_bulk",
    metadata,
    number(),
    sync_id(),
    Column("export", Text, nullable=False),
    Column("plan_id", BigInteger, nullable=False),
    Column("window_end", UtcTime, nullable=False),
    # How many identities and rows each reason has, and some of them: JSON.
    Column("reasons", Text, nullable=False),
    # All of them as Parquet: workspace_id, identity, reason, count.
    Column("body", LargeBinary, nullable=False),
    Index("bulk_of_a_pair", "sync_id", "export"),
    Index("bulk_of_a_plan", "plan_id"),
    sqlite_autoincrement=True,
)

attempts = Table(
    "attempts",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("last_at", UtcTime, nullable=False),
)

breakers = Table(
    "breakers",
    metadata,
    sync_id(primary=True),
    Column("state", Word(BreakerState), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("run", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False),
)

gone_people = Table(
    "gone_people",
    metadata,
    Column("workspace_id", BigInteger, primary_key=True, autoincrement=False),
    # Of the cut that they were gone at.
    Column("at", UtcTime, primary_key=True, autoincrement=False),
    # The export whose rows they were found in, and where; empty for those of the table people.
    Column("export", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("people", LargeBinary, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)
