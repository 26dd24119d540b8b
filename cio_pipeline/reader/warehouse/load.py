"""Loading a feed: each manifest once, in one transaction with the record of it (O6).

A run that dies loses what it had not committed, and the next goes on from there. Files that were
rewritten are loaded again in place of their rows; a new generation empties the tables first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.errors import WarehouseUnusable
from cio_pipeline.model.manifests import Manifest, Superseded
from cio_pipeline.ports import Destination
from cio_pipeline.reader.chain import Chain, Read, read_chain, read_on
from cio_pipeline.reader.copies import copies_of
from cio_pipeline.reader.files import FeedFile, goes_on_from_elsewhere, listed
from cio_pipeline.reader.places import Place, open_of
from cio_pipeline.reader.tables import KINDS, Kind, Table
from cio_pipeline.reader.warehouse import records
from cio_pipeline.reader.warehouse.database import Database, checked_schema, transaction
from cio_pipeline.reader.warehouse.named import load_named
from cio_pipeline.reader.warehouse.relations import drop_tables, empty_tables, make_tables
from cio_pipeline.reader.warehouse.rows import Rows
from cio_pipeline.reader.warehouse.target import ALONE, ITS_OWN, REBUILD, Loaded, Others, Target

_MANIFESTS_AT_ONCE, _ROWS_AT_ONCE = 512, 4_000_000
"""So many manifests, or rows, are loaded in one transaction."""


def load(
    db: Database,
    place: Place,
    *,
    schema: str | None = None,
    rebuild: bool = False,
    others: Others = ALONE,
    stems: Mapping[str, str] | None = None,
) -> Loaded:
    """Load what is new of a feed; its tables are in `schema`, by default named as its sync.

    `stems` differ from the contract's, by export: without manifests, names alone tell files.

    With `rebuild` all that was loaded of it is dropped first, but not what the `others` of the same
    call loaded.
    Raises ManifestBroken, with what came before loaded, FileAltered, NothingDelivered,
    UnknownContract, WarehouseUnusable if the schema holds another feed, and the store's errors;
    then nothing of what they are about is loaded.
    """
    schema = None if schema is None else checked_schema(schema)
    with transaction(db):
        records.make_records(db)
    destination = open_of(place)
    where = _named(destination)
    target = Target(where, schema, rebuild, others)
    known = _known(records.feeds(db), where, schema)
    last = None if known is None or known.place != where or rebuild else known.last
    chain = read_chain(destination) if last is None else read_on(destination, last)
    if not chain.manifests and last is None:
        chain.require()
        return load_named(db, destination, target, stems or {})
    work = _Load(db, destination, chain, target, known)
    done = work.run()
    chain.require()
    return done


def _known(
    found: Sequence[records.FeedRecord], place: str, schema: str | None
) -> records.FeedRecord | None:
    """The record of a place, of a schema if one is given."""
    of_place = [one for one in found if one.place == place]
    if schema is not None:
        return next((one for one in found if one.schema == schema), None)
    return of_place[0] if of_place else None


def _named(destination: Destination) -> str:
    if isinstance(destination, LocalFolder):
        return str(destination.root.resolve())
    return destination.describe()


@dataclass
class _Load:
    """One feed with manifests."""

    db: Database
    destination: Destination
    chain: Chain
    target: Target
    known: records.FeedRecord | None

    def run(self) -> Loaded:
        if not self.chain.manifests:
            assert self.known is not None  # noqa: S101 - else there were manifests
            known = self.known
            return Loaded(self.target.place, known.schema, None, None, 0, 0, 0, known.unproven)
        record, fresh = self._record()
        manifests = self._new(record)
        if not manifests and record.place != self.target.place:
            with transaction(self.db):
                records.keep_feed(self.db, replace(record, place=self.target.place))
        done = Loaded(self.target.place, record.schema, None, None, 0, 0, 0, record.unproven)
        for first, last in _batches(manifests):
            batch = manifests[first:last]
            record, done = self._batch(record, batch, done, fresh=fresh)
            fresh = False
        return done

    def _record(self) -> tuple[records.FeedRecord, bool]:
        """The feed as far as it is loaded, and whether to begin from scratch."""
        top = self.chain.manifests[-1]
        schema = self.target.named(self.known.schema if self.known else top.sync_id)
        known = next((one for one in records.feeds(self.db) if one.schema == schema), None)
        drop = self.target.drops(schema) or (known is not None and self._came_first(known))
        if known is not None and not drop:
            self._require_same(known, top)
            return known, False
        moved = goes_on_from_elsewhere(self.chain.manifests)
        if moved:
            self.target.require_beginning()
        new = records.FeedRecord(
            schema, self.target.place, top.feed, top.sync_id, top.workspace_id, top.version,
            0, None, known.next_file if known else 1, moved,
        )  # fmt: skip
        return new, drop

    def _came_first(self, known: records.FeedRecord) -> bool:
        """Whether files were loaded by their names alone, before the manifests that list them came.

        The feed begins anew then: with the manifests, nothing of it is lost.
        """
        if known.last is not None or known.place != self.target.place:
            return False
        told = {file.key for manifest in self.chain.manifests for file in manifest.files}
        return records.loaded_files(self.db, known.schema).keys() <= told

    def _require_same(self, known: records.FeedRecord, top: Manifest) -> None:
        if known.last is None:
            raise WarehouseUnusable(
                f"'{known.schema}' was loaded from a bucket without manifests.", REBUILD
            )
        for what, held, lies in (
            ("sync", known.sync_id, top.sync_id),
            ("workspace", known.workspace_id, top.workspace_id),
        ):
            if held != lies:
                raise WarehouseUnusable(
                    f"'{known.schema}' holds {what} {held}, the bucket {lies}.", ITS_OWN
                )
        both = min(top.ordinal, known.last.ordinal)
        digest = {one.ordinal: sha256 for one, sha256 in self._digests()}.get(both)
        loaded = records.loaded_manifest(self.db, known.schema, both)
        if digest and digest != loaded:
            what = "is another one than was" if loaded else "was never"
            raise WarehouseUnusable(
                f"Manifest {both} {what} loaded into '{known.schema}'.", REBUILD
            )
        first = self.chain.manifests[0].ordinal
        if first > known.last.ordinal + 1 and goes_on_from_elsewhere(self.chain.manifests):
            raise WarehouseUnusable(
                f"The manifests from {known.last.ordinal + 1} to {first - 1} lie in another place: "
                "the sync was moved.",
                "Load that place first, then this one.",
            )

    def _digests(self) -> Iterator[tuple[Manifest, str]]:
        return zip(self.chain.manifests, self.chain.digests, strict=True)

    def _new(self, record: records.FeedRecord) -> list[tuple[Manifest, str]]:
        last = record.last.ordinal if record.last else 0
        return [one for one in self._digests() if one[0].ordinal > last]

    def _batch(
        self,
        record: records.FeedRecord,
        batch: Sequence[tuple[Manifest, str]],
        done: Loaded,
        *,
        fresh: bool,
    ) -> tuple[records.FeedRecord, Loaded]:
        """Load some manifests in one transaction; what was loaded so far, they included."""
        kind, schema = KINDS[record.feed], record.schema
        manifests = [one for one, _ in batch]
        generation = max(one.generation for one in self.chain.manifests)
        files = self._files(manifests, generation)
        with copies_of(self.destination) as copies, transaction(self.db):
            if fresh:
                drop_tables(self.db, schema)
                records.forget(self.db, schema)
            elif generation > record.generation:
                empty_tables(self.db, schema)
                records.forget(self.db, schema, "files")
            make_tables(self.db, schema, _tables(kind, manifests, files))
            rows = Rows(self.db, schema, kind, copies, record.next_file)
            replaced, again = self._replaced(record, files), self._rewritten(record, manifests)
            rows.drop([*replaced, *again])
            records.forget_files(self.db, schema, [one[0] for one in (*replaced, *again)])
            rows.load_again(again)
            rows.load(files)
            records.keep_files(self.db, schema, rows.done)
            records.keep_manifests(self.db, schema, manifests, [sha256 for _, sha256 in batch])
            top, sha256 = batch[-1]
            record = replace(
                record,
                place=self.target.place,
                version=max(record.version, *(one.version for one in manifests)),
                generation=generation,
                last=Read(top.ordinal, sha256),
                next_file=rows.next_file,
            )
            records.keep_feed(self.db, record)
        return record, _with(done, manifests, rows, len(again))

    def _files(self, manifests: Sequence[Manifest], generation: int) -> list[FeedFile]:
        """The files that these manifests list and that lie there: not those that were replaced."""
        last = {f.key: f for one in self.chain.manifests for f in one.files}
        return [
            listed(file, one.ordinal)
            for one in manifests
            for file in one.files
            if file.generation == generation and last[file.key] is file
        ]

    def _replaced(
        self, record: records.FeedRecord, files: Sequence[FeedFile]
    ) -> list[tuple[int, str, FeedFile]]:
        """Files that were loaded before, and in whose place others came (M4)."""
        if not record.feed.facts.overwrites:
            return []
        keys = {file.key for file in files}
        return list(records.loaded_files(self.db, record.schema, keys).values())

    def _rewritten(
        self, record: records.FeedRecord, manifests: Sequence[Manifest]
    ) -> list[tuple[int, str, FeedFile]]:
        """Files that were loaded before and rewritten since, as they lie there now.

        Those that another file replaces are left to it.
        """
        coming = {file.key for one, _ in self._new(record) for file in one.files}
        told = {one.key for manifest in manifests for one in manifest.superseded} - coming
        if not told:
            return []
        now: dict[str, Superseded] = {
            one.key: one
            for manifest in self.chain.manifests
            for one in manifest.superseded
            if one.key in told
        }
        loaded = records.loaded_files(self.db, record.schema, told)
        return [
            (number, table, replace(file, sha256=new.sha256, rows=new.rows, bytes=new.bytes))
            for key, (number, table, file) in loaded.items()
            if (new := now[key]).sha256 != file.sha256
        ]


def _with(done: Loaded, manifests: Sequence[Manifest], rows: Rows, again: int) -> Loaded:
    return replace(
        done,
        first=done.first or manifests[0].ordinal,
        last=manifests[-1].ordinal,
        files=done.files + len(rows.done) - again,
        rows=done.rows + sum(count for _, _, count, _ in rows.done),
        rewritten=done.rewritten + again,
    )


def _batches(manifests: Sequence[tuple[Manifest, str]]) -> Iterator[tuple[int, int]]:
    """From where to where manifests are loaded together."""
    first = rows = 0
    for place, (one, _) in enumerate(manifests):
        more = sum(file.rows for file in one.files)
        if place > first and (place - first == _MANIFESTS_AT_ONCE or rows + more > _ROWS_AT_ONCE):
            yield first, place
            first, rows = place, 0
        rows += more
    if manifests:
        yield first, len(manifests)


def _tables(kind: Kind, manifests: Sequence[Manifest], files: Sequence[FeedFile]) -> list[Table]:
    """The tables of the exports that the feed has; all where the manifests do not tell."""
    versions = [*(file.version for file in files), *(one.version for one in manifests)]
    used = {kind.table_of(file) for file in files}
    exports = {state.export for one in manifests for state in one.exports}
    tables = kind.tables(max(versions))
    chosen = [one for one in tables if one.name in exports or one.name in used]
    return chosen if any(one.name in exports for one in tables) else list(tables)
