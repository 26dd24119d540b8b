"""The tables of alerts, as the code sees them; see `schema`."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from cio_pipeline.ledger.schema import metadata
from cio_pipeline.ledger.statements import UtcTime, index_where, number, unique_while

alert_incidents = Table(
    "alert_incidents",
    metadata,
    number(),
    Column("check_name", Text, nullable=False),
    # Empty where it concerns none: NULLs would all be different.
    Column("sync_id", Text, nullable=False),
    Column("export", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("owner", Text),
    Column("severity", Text, nullable=False),
    Column("says", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("gone_since", UtcTime),
    Column("closed_at", UtcTime),
    unique_while(
        "closed_at IS NULL", "one_open_incident", "check_name", "sync_id", "export", "about"
    ),
    Index("closed_incidents", "closed_at"),
    sqlite_autoincrement=True,
)

alert_told = Table(
    "alert_told",
    metadata,
    Column(
        "incident_id",
        BigInteger,
        ForeignKey("alert_incidents.id"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("target", Text, primary_key=True),
    Column("over_at", UtcTime),
    index_where("over_at IS NULL", "untold_ends", "incident_id"),
)

alert_targets = Table(
    "alert_targets",
    metadata,
    Column("target", Text, primary_key=True),
    # Not sent to before: it is paused, fails, or somebody is about to.
    Column("next_at", UtcTime, nullable=False),
    Column("digest_at", UtcTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("since", UtcTime),
    Column("problem", Text, nullable=False),
)
