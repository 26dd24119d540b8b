"""What the source holds of past windows, against what was sent of them."""

from dataclasses import dataclass
from datetime import datetime

from cio_pipeline.model.breaches import Breach
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.times import utc

NAME = "reconciliation"


@dataclass(frozen=True)
class Difference:
    """An export of a sync that the source tells otherwise than what was sent of (start, end].

    `changed` are rows that a recount gives, `sent` those in listed files, with what was `held` back
    where that is not told apart. `wrong` is why it could not be recounted.
    """

    sync: Sync
    export: str
    start: datetime
    end: datetime
    changed: int = 0
    sent: int = 0
    held: int = 0
    wrong: str = ""
    keys_differ: bool = False


def told(one: Difference) -> Finding:
    """The difference as a finding."""
    between = f"between {utc(one.start)} and {utc(one.end)}"
    day = f"{one.end:%Y-%m-%d}"
    if one.wrong:
        says = f"{one.export} {between} cannot be recounted: {one.wrong}"
        cause = "The source no longer has what it held then, or does not answer."
        severity, command = Severity.WARNING, "cio-pipeline source status"
    else:
        held = f" and {one.held:,} held back" if one.held else ""
        says = (
            f"{one.export}: {one.changed:,} rows changed {between}, {one.sent:,} were sent{held}."
        )
        if one.keys_differ:
            says += " Their keys differ."
        cause = "The source's history was changed since, files were altered, or a bug."
        severity = Severity.ERROR
        command = f"cio-pipeline reconcile {one.sync.id} --day {day} --repair"
    return Finding(
        check=NAME,
        severity=severity,
        says=says,
        cause=cause,
        command=command,
        sync_id=one.sync.id,
        owner=one.sync.owner,
        export=one.export,
        window_end=one.end,
    )


def repeated(breach: Breach) -> Finding:
    """What a source brought again in a later window of a day."""
    return Finding(
        check=NAME,
        severity=Severity.WARNING,
        says=str(breach),
        cause="What writes the table does so twice, such as a job that is started again.",
        command="cio-pipeline source status",
        about=breach.table,
    )
