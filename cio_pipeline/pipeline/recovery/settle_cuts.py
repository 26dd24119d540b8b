"""Where a bucket's manifests and the source tell of the same cuts: the one fills in the other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.ledger.cuts import Cuts
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.errors import LedgerError, SourceError, VersionGone
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.planning.cuts import peek_cut
from cio_pipeline.pipeline.recovery.bucket_chain import BucketChain, tables_told, times_told
from cio_pipeline.pipeline.services import Services


def settle_cuts(services: Services, chains: Sequence[BucketChain]) -> None:
    """Store the cut of every window end that the chains name.

    What a manifest says of a table is taken; the rest the source tells again. A cut that is too
    old for the source's log gets the tables of the next one: only `export --restore` reads it.
    """
    known = tables_told(chains)
    cuts = services.ledger.cuts
    gone: list[datetime] = []
    for at in sorted({time for chain in chains for time in times_told(chain)}):
        told = known.get(at, {})
        try:
            cut = peek_cut(services, at, SOURCE_TABLES)
        except VersionGone:
            gone.append(at)
            continue
        except SourceError:
            # One table that cannot be read keeps nobody from coming back who does not read it.
            cut = peek_cut(services, at)
        beside = services.source.beside(cut.tables, told)
        cuts.store(_overlaid(replace(cut, tables=beside), told))
    for at in reversed(gone):
        later = cuts.after(at)
        if later is None:
            raise VersionGone(
                f"The source no longer tells what it held at {utc(at)}, the last "
                "position delivered.",
                "Restore the tables' logs, or start the syncs over under new ids.",
            )
        cuts.store(Cut(at, {**later.tables, **known.get(at, {})}))
    _require_told(services.ledger.cuts, known)


def _overlaid(cut: Cut, told: Mapping[str, TableCut]) -> Cut:
    tables, undecided = {**cut.tables, **told}, cut.undecided - told.keys()
    return replace(cut, tables=tables, undecided=undecided) if told else cut


def _require_told(cuts: Cuts, known: Mapping[datetime, Mapping[str, TableCut]]) -> None:
    """Raise LedgerError if the ledger remembers a cut otherwise than the manifests."""
    for at, tables in known.items():
        stored = cuts.get(at)
        if stored is not None and any(stored.tables.get(t) != cut for t, cut in tables.items()):
            raise LedgerError(
                f"The ledger's cut of {utc(at)} is not the one that was delivered.",
                "Move the ledger away and rebuild it: `cio-pipeline ledger rebuild --syncs FILE`.",
            )
