"""What the source holds of past windows, against what was sent of them."""

from cio_pipeline.model.breaches import Breach
from cio_pipeline.model.differences import Difference
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.times import utc

NAME = "reconciliation"


def told(one: Difference, owner: str | None) -> Finding:
    """The difference as a finding for the sync's owner."""
    between = f"between {utc(one.start)} and {utc(one.end)}"
    _, _, day = one.of_day
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
        if one.ranges > 1:
            says += f" So it is in {one.ranges - 1:,} more stretches of that day."
        cause = "The source's history was changed since, files were altered, or a bug."
        severity = Severity.ERROR
        keys = " --keys" if one.keys_differ else ""
        command = f"cio-pipeline reconcile {one.sync_id} --day {day:%Y-%m-%d}{keys} --repair"
    return Finding(
        check=NAME,
        severity=severity,
        says=says,
        cause=cause,
        command=command,
        sync_id=one.sync_id,
        owner=owner,
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
