"""Loading a feed whose bucket has no manifest: each file once, as names tell them."""

from collections.abc import Mapping, Sequence

from cio_pipeline.model.errors import FileAltered, WarehouseUnusable
from cio_pipeline.model.feeds import Feed
from cio_pipeline.ports import Destination
from cio_pipeline.reader.by_names import UNPROVEN, named_files
from cio_pipeline.reader.copies import copies_of
from cio_pipeline.reader.files import FeedFile
from cio_pipeline.reader.tables import KINDS
from cio_pipeline.reader.warehouse import records
from cio_pipeline.reader.warehouse.database import Database, transaction
from cio_pipeline.reader.warehouse.relations import drop_tables, make_tables
from cio_pipeline.reader.warehouse.rows import Rows
from cio_pipeline.reader.warehouse.target import ITS_OWN, Loaded, Target


def load_named(
    db: Database, destination: Destination, target: Target, stems: Mapping[str, str]
) -> Loaded:
    """Load files that were not loaded yet, in one transaction; names are all that tells them."""
    named = named_files(destination.list(), stems)
    schema = target.named(_default_schema(named.feed, named.owner))
    kind, drop = KINDS[named.feed], target.drops(schema)
    version = max(file.version for file in named.files)
    with copies_of(destination) as copies, transaction(db):
        known = next((one for one in records.feeds(db) if one.schema == schema), None)
        if drop:
            drop_tables(db, schema)
            records.forget(db, schema)
        elif known is not None and known.place != target.place:
            raise WarehouseUnusable(
                f"'{schema}' was loaded from {known.place}.",
                ITS_OWN,
            )
        loaded = {} if drop else records.loaded_files(db, schema)
        _require_unaltered(named.files, {key: file for key, (_, _, file) in loaded.items()})
        make_tables(db, schema, kind.tables(version))
        rows = Rows(db, schema, kind, copies, known.next_file if known else 1)
        rows.load(file for file in named.files if file.key not in loaded)
        records.keep_files(db, schema, rows.done)
        record = records.FeedRecord(
            schema, target.place, named.feed, None, None, version, 0, None, rows.next_file, UNPROVEN
        )
        records.keep_feed(db, record)
    total = sum(count for _, _, count, _ in rows.done)
    return Loaded(target.place, schema, None, None, len(rows.done), total, 0, UNPROVEN)


def _default_schema(feed: Feed, owner: str) -> str:
    return f"{feed.value}_{owner.rpartition(' ')[2].replace('.', '_')}"


def _require_unaltered(files: Sequence[FeedFile], loaded: dict[str, FeedFile]) -> None:
    for file in files:
        if file.key in loaded and loaded[file.key].bytes != file.bytes:
            raise FileAltered(
                f"'{file.key}' is another file than was loaded.",
                "Find out who replaced it; `--rebuild` loads all from scratch.",
            )
