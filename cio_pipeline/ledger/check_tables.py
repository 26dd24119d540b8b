"""The tables of what is remembered from window to window to tell what is wrong (O1)."""

from sqlalchemy import BigInteger, Boolean, Column, Table, Text

from cio_pipeline.ledger.schema import metadata
from cio_pipeline.ledger.statements import UtcTime

volumes = Table(
    "volumes",
    metadata,
    # In microseconds: an hour, or a day.
    Column("length", BigInteger, primary_key=True, autoincrement=False),
    Column("ends_at", UtcTime, primary_key=True, autoincrement=False),
    Column("sync_id", Text, primary_key=True),
    Column("export", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("since", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

source_columns = Table(
    "source_columns",
    metadata,
    Column("source_table", Text, primary_key=True),
    # Names and types: JSON; and those that there were until they changed last.
    Column("columns", Text, nullable=False),
    Column("before", Text),
    Column("changed_at", UtcTime, nullable=False),
)

bucket_looks = Table(
    "bucket_looks",
    metadata,
    Column("sync_id", Text, primary_key=True),
    Column("looked_at", UtcTime, nullable=False),
    # The manifest up to which all was in order, how many files were missing, and JSON: some of
    # them, numbers that are in no manifest, keys that are in several.
    Column("ordinal", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    Column("named", Text, nullable=False),
)

differences = Table(
    "differences",
    metadata,
    Column("sync_id", Text, primary_key=True),
    Column("export", Text, primary_key=True),
    Column("day", UtcTime, primary_key=True, autoincrement=False),
    Column("start", UtcTime, nullable=False),
    Column("end", UtcTime, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("wrong", Text, nullable=False),
    Column("keys_differ", Boolean, nullable=False),
    Column("ranges", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

breaches = Table(
    "breaches",
    metadata,
    Column("source_table", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("windows", BigInteger, nullable=False),
    # Of the last window, and of all.
    Column("last_rows", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
)
