"""A delivered feed as tables: `Feed("s3://bucket/path").table("people")`.

It needs the bucket alone. Rows stream: neither a table nor a file has to fit into memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl
from polars.io.plugins import register_io_source

from cio_pipeline.contracts.arrow import arrow
from cio_pipeline.extras import needs
from cio_pipeline.files.names import check_stems
from cio_pipeline.model.errors import InvalidConfig, ManifestBroken
from cio_pipeline.model.feeds import Feed as FeedKind
from cio_pipeline.ports import Destination
from cio_pipeline.reader.by_names import UNPROVEN, named_files
from cio_pipeline.reader.chain import Chain, read_chain
from cio_pipeline.reader.files import (
    FeedFile,
    as_of,
    files_of,
    goes_on_from_elsewhere,
    require_not_overwritten,
)
from cio_pipeline.reader.places import Place, open_of
from cio_pipeline.reader.scan import BATCH, Scan
from cio_pipeline.reader.tables import KINDS, Kind, Table, table_named
from cio_pipeline.verification.verify import VerifyReport, verify

if TYPE_CHECKING:
    import duckdb

ArrowBatches: TypeAlias = Any
"""A `pyarrow.RecordBatchReader`; pyarrow ships no types."""


AsOf: TypeAlias = int | datetime | None
"""A manifest's ordinal, or the end of a window; None is all that is delivered."""


@dataclass(frozen=True)
class Contents:
    """What a place holds: by its manifests, or (`chain` is None) by the names of its files."""

    kind: FeedKind
    chain: Chain | None
    named: Sequence[FeedFile] = ()


class Feed:
    """A feed where it was delivered to.

    `place` is a folder, an `s3://`, `az://`, `abfss://` or `file://` URL, or a `destination` as a
    sync file writes it. `stems` are those of the sync that differ from the contract's, by export;
    only where there is no manifest they are asked for. All that is asked of a Feed is answered
    from the manifests that lay there when it was first asked: `refresh` looks again.
    """

    def __init__(self, place: Place, *, stems: Mapping[str, str] | None = None) -> None:
        self._stems = stems or {}
        check_stems(self._stems)
        self.destination: Destination = open_of(place)

    def refresh(self) -> None:
        """Look again at what is delivered."""
        self.__dict__.pop("contents", None)

    @cached_property
    def contents(self) -> Contents:
        """What lies there. Raises NothingDelivered, InvalidConfig, and the store's errors."""
        chain = read_chain(self.destination)
        if chain.manifests:
            return Contents(chain.manifests[-1].feed, chain)
        chain.require()
        named = named_files(self.destination.list(), self._stems)
        return Contents(named.feed, None, named.files)

    @property
    def unproven(self) -> tuple[str, ...]:
        """What cannot be said of what is read, in words; empty if the manifests tell all."""
        chain = self.contents.chain
        said = UNPROVEN if chain is None else goes_on_from_elsewhere(chain.manifests)
        return () if said is None else (said,)

    @property
    def kind(self) -> Kind:
        """How its files become tables."""
        return KINDS[self.contents.kind]

    def tables(self, *, as_of: AsOf = None) -> tuple[Table, ...]:
        """The tables that the feed can have, in the version that it came to."""
        return self.kind.tables(self._version(self.files(as_of=as_of)))

    def files(self, table: str | None = None, *, as_of: AsOf = None) -> list[FeedFile]:
        """The files that make up the tables, or one of them, in the order in which rows count.

        Windows of which a part is delivered are left out, and earlier generations. Raises
        ManifestBroken if the chain does not hold as far as is asked, UnknownExport, and
        UnknownContract for what this release cannot read.
        """
        found = self._files(as_of)
        tables = [self.kind.table_of(file) for file in found]
        if table is None:
            return found
        table_named(self.kind.tables(self._version(found)), table)
        return [file for file, of in zip(found, tables, strict=True) if of == table]

    def table(self, name: str, *, as_of: AsOf = None) -> pl.LazyFrame:
        """The newest row of everything that rows speak of, those that say "deleted" included (D1).

        Columns are those of the newest version; rows sent before an upgrade lack the new ones.
        Raises what `files` does, and FileAltered for messages that were overwritten since `as_of`;
        reading raises FileAltered and the store's errors.
        """
        return self._scan(name, as_of, newest=True, replays=True)

    def changes(self, name: str, *, as_of: AsOf = None, replays: bool = False) -> pl.LazyFrame:
        """All rows as they were delivered, each once; see `table`.

        Rows that were sent before and are sent again by a replay come only with `replays`.
        """
        return self._scan(name, as_of, newest=False, replays=replays)

    def arrow(self, name: str, *, changes: bool = False, as_of: AsOf = None) -> ArrowBatches:
        """The same rows as a `pyarrow.RecordBatchReader`, to be read once."""
        frame = self._rows(name, changes=changes, as_of=as_of)
        schema = _arrow_of(frame.collect_schema().to_frame(eager=True)).schema
        parts = frame.collect_batches(chunk_size=BATCH, engine="streaming")
        batches = (one for part in parts for one in _arrow_of(part).cast(schema).to_batches())
        return arrow().RecordBatchReader.from_batches(schema, batches)

    def duckdb(
        self,
        name: str,
        *,
        connection: "duckdb.DuckDBPyConnection | None" = None,
        changes: bool = False,
        as_of: AsOf = None,
    ) -> "duckdb.DuckDBPyRelation":
        """The same rows as a temporary table of DuckDB, of that name, which can be asked again.

        Raises InvalidConfig if DuckDB is not installed.
        """
        found = connection if connection is not None else in_memory()
        rows = self.arrow(name, changes=changes, as_of=as_of)
        found.register("cio_rows", rows)
        try:
            found.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS FROM cio_rows')
        finally:
            found.unregister("cio_rows")
        return found.table(f'temp.main."{name}"')

    def verify(self, *, deep: bool = True) -> VerifyReport:
        """The proof that nothing is missing, doubled or altered; `deep` reads every file (D10)."""
        return verify(self.destination, deep, stems=self._stems)

    # --- how ------------------------------------------------------------------------------

    def _files(self, at: AsOf) -> list[FeedFile]:
        contents = self.contents
        if contents.chain is None:
            if at is not None:
                raise InvalidConfig(
                    "Without manifests nobody knows when files were delivered.",
                    "Leave `as_of` out.",
                )
            return list(contents.named)
        _check_as_of(at)
        contents.chain.require(at if isinstance(at, int) else None)
        manifests = contents.chain.manifests
        if isinstance(at, int) and not manifests[0].ordinal <= at <= manifests[-1].ordinal:
            raise ManifestBroken(
                f"There is no manifest {at}.",
                f"There are those from {manifests[0].ordinal} to {manifests[-1].ordinal}.",
            )
        return files_of(as_of(manifests, at), at)

    def _version(self, files: Sequence[FeedFile]) -> int:
        chain = self.contents.chain
        told = [file.version for file in files]
        return max(told, default=chain.manifests[-1].version if chain else 0)

    def _rows(self, name: str, *, changes: bool, as_of: AsOf) -> pl.LazyFrame:
        return self.changes(name, as_of=as_of) if changes else self.table(name, as_of=as_of)

    def _scan(self, name: str, at: AsOf, *, newest: bool, replays: bool) -> pl.LazyFrame:
        files = [file for file in self.files(name, as_of=at) if replays or not file.replays]
        if self.contents.chain is not None:
            require_not_overwritten(files, self.contents.chain.manifests)
        table = table_named(self.tables(as_of=at), name)
        scan = Scan(self.destination, self.kind, table, files, newest=newest)
        return register_io_source(scan, schema=table.schema, explain_name=f"Feed {name}")


def _check_as_of(at: object) -> None:
    """Raise InvalidConfig for what is neither an ordinal nor a time with its zone."""
    if isinstance(at, datetime) and at.tzinfo is None:
        raise InvalidConfig(
            "`as_of` is a time without a zone.", "Give one: datetime(…, tzinfo=UTC)."
        )
    if isinstance(at, bool) or not isinstance(at, int | datetime | None):
        raise InvalidConfig(
            f"`as_of` is a {type(at).__name__}.",
            "Give a manifest's ordinal, or a time: datetime(…, tzinfo=UTC).",
        )


def _arrow_of(frame: Any) -> Any:
    """A frame as a table of Arrow, of which pyright knows nothing."""
    return frame.to_arrow()


def in_memory() -> "duckdb.DuckDBPyConnection":
    """A database in memory; raises InvalidConfig if DuckDB is not installed."""
    return needs("duckdb").connect()
