"""What the source holds of past windows, against what was sent of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cio_pipeline.contracts.feeds import facts_of
from cio_pipeline.model.breaches import Breach
from cio_pipeline.model.differences import Difference
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.times import utc

NAME = "reconciliation"


def told(found: Iterable[Difference], owners: Mapping[str, str | None]) -> Iterator[Finding]:
    """Differences as findings for the owners of syncs.

    What cannot be recounted for one reason is one finding, however many syncs it is of.
    """
    unread: defaultdict[str, list[Difference]] = defaultdict(list)
    for one in found:
        if one.wrong:
            unread[one.wrong].append(one)
        else:
            yield _differs(one, owners[one.sync_id])
    shared: list[Difference] = []
    for its in unread.values():
        if len({one.sync_id for one in its}) == 1:
            yield _unread(its, owners[its[0].sync_id])
        else:
            shared += its
    if shared:
        yield _unread(shared, None)


def _differs(one: Difference, owner: str | None) -> Finding:
    held = f" and {one.held:,} held back" if one.held else ""
    says = (
        f"{one.export}: {one.changed:,} row{'' if one.changed == 1 else 's'} changed "
        f"{_between([one])}, {one.sent:,} {'was' if one.sent == 1 else 'were'} sent{held}."
    )
    if one.keys_differ:
        says += " Their keys differ."
    if one.ranges > 1:
        says += f" So it is in {one.ranges - 1:,} more stretches of that day."
    cause = "The source's history was changed since, files were altered, or a bug."
    how = " --keys" if one.keys_differ else ""
    if facts_of(one.export).overwrites:
        cause += " Messages are not sent again: see what came of these, then say that it is known."
        how += " --accept"
    else:
        how += " --repair"
    *_, day = one.of_day
    return Finding(
        check=NAME,
        severity=Severity.ERROR,
        says=says,
        cause=cause,
        command=f"cio-pipeline reconcile {one.sync_id} --day {day:%Y-%m-%d}{how}",
        sync_id=one.sync_id,
        owner=owner,
        export=one.export,
        window_end=one.end,
    )


def _unread(its: Sequence[Difference], owner: str | None) -> Finding:
    """What cannot be recounted of one sync, or of many, which is the source's."""
    syncs, exports = {one.sync_id for one in its}, {one.export for one in its}
    alone = len(syncs) == 1
    what = its[0].export if len(exports) == 1 else f"{len(exports):,} exports"
    of = "" if alone else f" of {len(syncs):,} syncs"
    return Finding(
        check=NAME,
        severity=Severity.WARNING,
        says=f"{what}{of} {_between(its)} cannot be recounted: {its[0].wrong}",
        cause="The source no longer has what it held then, or does not answer.",
        command="cio-pipeline source status",
        sync_id=its[0].sync_id if alone else None,
        owner=owner,
        export=its[0].export if alone and len(exports) == 1 else None,
        about=None if alone else "source",
        window_end=max(one.end for one in its),
    )


def _between(its: Sequence[Difference]) -> str:
    return f"between {utc(min(one.start for one in its))} and {utc(max(one.end for one in its))}"


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
