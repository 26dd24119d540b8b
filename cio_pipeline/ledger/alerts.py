"""Incidents, who knows of them, and how the targets of alerts do (O3)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    RowMapping,
    Table,
    Text,
    bindparam,
    delete,
    or_,
    select,
    update,
)

from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.schema import metadata
from cio_pipeline.ledger.statements import (
    UtcTime,
    chunks,
    index_where,
    insert_into,
    insert_missing,
    number,
    unique_while,
    upsert,
)
from cio_pipeline.ledger.troubles import storable
from cio_pipeline.model.alerts import LONGEST_WAIT, Changes, KnownIncident, Message, TargetState
from cio_pipeline.model.findings import Finding, Severity

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


RECENT = timedelta(hours=25)
"""Incidents that are over are known for so long, and until all who were told know it."""

_ID = alert_incidents.c.id
_OPEN = alert_incidents.c.closed_at.is_(None)


@dataclass(frozen=True)
class Alerts:
    """What is wrong, and who was told."""

    database: Database

    @reading
    def known(self, connection: Connection, now: datetime) -> Sequence[KnownIncident]:
        """Incidents that are open, were lately, or whose end somebody does not know of yet."""
        untold = select(alert_told.c.incident_id).where(alert_told.c.over_at.is_(None))
        closed = alert_incidents.c.closed_at >= now - RECENT
        query = select(alert_incidents).where(or_(_OPEN, closed, _ID.in_(untold))).order_by(_ID)
        rows = connection.execute(query).mappings().all()
        told = _told(connection, [row["id"] for row in rows])
        return [_incident(row, told.get(row["id"], {})) for row in rows]

    @writing
    def keep(self, connection: Connection, changed: Changes, now: datetime) -> None:
        """Keep what a look made of the incidents; what another look opened meanwhile stays."""
        rows = [_row(one, now) for one in changed.opened]
        if rows:
            connection.execute(_open(connection.dialect.name), rows)
        for its, finding in {**changed.moved, **changed.worse}.items():
            connection.execute(_OF_ONE, {"number": its, **_texts(finding)})
        for chunk in chunks(sorted(changed.worse)):
            # Who knew of a warning does not know of an error.
            connection.execute(delete(alert_told).where(alert_told.c.incident_id.in_(chunk)))
        _set(connection, changed.gone, gone_since=now)
        _set(connection, changed.back, gone_since=None)
        _set(connection, changed.closed, closed_at=alert_incidents.c.gone_since)

    @reading
    def targets(self, connection: Connection) -> Mapping[str, TargetState]:
        """How each target does that was ever seen to."""
        rows = connection.execute(select(alert_targets)).mappings()
        return {row["target"]: TargetState(**row) for row in rows}

    @writing
    def see_to(self, connection: Connection, targets: Collection[str], now: datetime) -> None:
        """Begin with targets that are new: their digests begin with the next hour."""
        new = {"next_at": now, "digest_at": now, "failures": 0, "since": None, "problem": ""}
        insert_missing(connection, alert_targets, [{"target": one, **new} for one in targets])

    @writing
    def claim(self, connection: Connection, target: str, now: datetime, until: datetime) -> bool:
        """Whether this one may send to a target now: nobody else does before `until`."""
        c = alert_targets.c
        mine = (c.target == target) & or_(c.next_at <= now, c.next_at > now + LONGEST_WAIT)
        claimed = update(alert_targets).where(mine).values(next_at=until)
        return connection.execute(claimed).rowcount == 1

    @writing
    def sent(
        self, connection: Connection, target: str, sent: Message, now: datetime, until: datetime
    ) -> None:
        """A target took a message; it is sent no other before `until`."""
        rows = [{"incident_id": n, "target": target, "over_at": None} for n in sent.opened]
        over = [{"incident_id": n, "target": target, "over_at": now} for n in sent.over]
        insert_missing(connection, alert_told, rows)
        upsert(connection, alert_told, over)
        well: dict[str, Any] = {"next_at": until, "failures": 0, "since": None, "problem": ""}
        digest = {} if sent.digest_at is None else {"digest_at": sent.digest_at}
        its = alert_targets.c.target == target
        connection.execute(update(alert_targets).where(its).values(**well, **digest))

    @writing
    def failed(
        self, connection: Connection, target: str, problem: str, now: datetime, until: datetime
    ) -> None:
        """A target did not take a message; it is tried again after `until`."""
        c = alert_targets.c
        connection.execute(
            update(alert_targets).where(c.target == target, c.failures == 0).values(since=now)
        )
        connection.execute(
            update(alert_targets)
            .where(c.target == target)
            .values(failures=c.failures + 1, problem=storable(problem), next_at=until)
        )


def _told(
    connection: Connection, numbers: Sequence[int]
) -> Mapping[int, Mapping[str, datetime | None]]:
    found: defaultdict[int, dict[str, datetime | None]] = defaultdict(dict)
    for chunk in chunks(numbers):
        query = select(alert_told).where(alert_told.c.incident_id.in_(chunk))
        for row in connection.execute(query):
            found[row.incident_id][row.target] = row.over_at
    return found


def _incident(row: RowMapping, told: Mapping[str, datetime | None]) -> KnownIncident:
    finding = Finding(
        check=row["check_name"],
        severity=Severity(row["severity"]),
        owner=row["owner"],
        says=row["says"],
        cause=row["cause"],
        command=row["command"],
        sync_id=row["sync_id"] or None,
        export=row["export"] or None,
        about=row["about"] or None,
    )
    return KnownIncident(
        row["id"],
        finding,
        row["opened_at"],
        row["gone_since"],
        row["closed_at"],
        frozenset(told),
        frozenset(target for target, over_at in told.items() if over_at is not None),
    )


def _row(one: Finding, now: datetime) -> dict[str, Any]:
    return {
        "check_name": one.check,
        "sync_id": one.sync_id or "",
        "export": one.export or "",
        "about": storable(one.about or ""),
        "opened_at": now,
        **_texts(one),
    }


def _texts(one: Finding) -> dict[str, Any]:
    return {
        "owner": one.owner,
        "severity": one.severity.value,
        **{name: storable(getattr(one, name)) for name in ("says", "cause", "command")},
    }


def _open(dialect: str) -> Any:
    return insert_into(dialect, alert_incidents).on_conflict_do_nothing()


_OF_ONE = (
    update(alert_incidents)
    .where(bindparam("number") == _ID, _OPEN)
    .values({name: bindparam(name) for name in ("owner", "severity", "says", "cause", "command")})
)


def _set(connection: Connection, numbers: Collection[int], **values: Any) -> None:
    for chunk in chunks(sorted(numbers)):
        connection.execute(update(alert_incidents).where(_ID.in_(chunk), _OPEN).values(**values))
