"""A whole product in a temporary folder: real Delta tables, a real ledger, real files.

Only the clock is made: it is set by each step, so that windows open and close as a test says.
"""

import atexit
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from sqlalchemy import Engine, event

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.destinations.open import open_destination
from cio_pipeline.destinations.overlap import location
from cio_pipeline.files.names import parse_name, render_name
from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window, data_out_window
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.lifecycle.apply import apply_syncs
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.services import Services
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline.sources.tables import commit_rows, create_tables
from cio_pipeline.verification.verify import VerifyReport, verify
from cio_pipeline_tests.changesets.rows import snapshot

if TYPE_CHECKING:
    from cio_pipeline_tests.sources.postgres.databases import Made

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def window(number: int) -> Window:
    """The windows of a test: 0 starts at noon."""
    return data_out_window(NOON + number * QUARTER)


def during(number: int, minutes: float = 5) -> datetime:
    """A moment in a window."""
    return window(number).start + timedelta(minutes=minutes)


@cache
def empty_source() -> Path:
    """All source tables, empty: made once, since making them takes a second."""
    folder = Path(tempfile.mkdtemp(prefix="source-"))
    create_tables(str(folder), SOURCE_TABLES.values())
    atexit.register(shutil.rmtree, folder)
    return folder


@cache
def empty_ledger() -> Path:
    """A ledger of SQLite in which nothing stands: its tables are made version by version."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    open_ledger(f"sqlite:///{folder / 'ledger.db'}").close()
    atexit.register(shutil.rmtree, folder)
    return folder / "ledger.db"


def _hurry(engine: Engine) -> None:
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
    engine.dispose()


@dataclass
class World:
    """See the module. `root` is a temporary folder.

    Its own ledger does not wait for the disk, unless it is `durable`: for processes that die.
    """

    root: Path
    ledger_url: str = ""
    now: datetime = NOON
    durable: bool = False
    database: "Made | None" = None
    """Where the source tables are, if they are none of Delta."""
    ledger: Ledger = field(init=False)
    services: Services = field(init=False)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        file = self.root / "ledger.db"
        if not self.ledger_url and not file.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            shutil.copy(empty_ledger(), file)
        self.ledger = open_ledger(self.ledger_url or f"sqlite:///{file}")
        if not self.ledger_url and not self.durable:
            _hurry(self.ledger.database.engine)
        if self.database is None and not (self.root / "source").exists():
            shutil.copytree(empty_source(), self.source_uri)
        self.services = Services(
            source=self.database.source if self.database else DeltaSource(self.source_uri),
            ledger=self.ledger,
            destinations=lambda sync: open_destination(sync, self.root),
            spool=Spool(self.root / "spool"),
            clock=lambda: self.now,
            owner="run 1",
        )

    def copy(self, root: Path) -> "World":
        """The same world in another folder, as it is now."""
        self.ledger.close()
        shutil.copytree(self.root, root)
        return World(root, now=self.now, database=self.database)

    @property
    def source_uri(self) -> str:
        return str(self.root / "source")

    def commit(self, table: str, *rows: Mapping[str, Any], at: datetime) -> int:
        """Commit rows to a source table; required columns that are not given are filled."""
        return self.commit_frame(SOURCE_TABLES[table], snapshot(table, *rows).collect(), at)

    def commit_frame(self, table: SourceTable, rows: pl.DataFrame, at: datetime) -> int:
        """Commit rows to a source table as they are."""
        if self.database is not None:
            return self.database.put(table, rows)
        return commit_rows(self.source_uri, table, rows, at)

    def sync(
        self, sync_id: str = "a", workspace: int = 1, /, *, at: datetime = NOON, **fields: Any
    ) -> Sync:
        """Register a sync, with a folder of its own."""
        config = {
            "id": sync_id,
            "workspace_id": workspace,
            "destination": {"type": "local", "path": f"bucket/{sync_id}"},
            **fields,
        }
        sync = Sync.model_validate(config)
        apply_syncs(
            self.services,
            [sync],
            lambda one: location(one.destination, self.root),
            at,
        )
        return sync

    def run(
        self,
        number: int,
        *exports: str,
        sync_ids: Collection[str] | None = None,
        lane: Lane = Lane.ALL,
        services: Services | None = None,
    ) -> tuple[Outcome, ...]:
        """Run a window just after it closed: some exports (default: all), then the manifests."""
        at = window(number)
        self.now = max(self.now, at.end + timedelta(seconds=1))
        return self.run_window(at, *exports, sync_ids=sync_ids, lane=lane, services=services)

    def run_window(
        self,
        at: Window,
        *exports: str,
        sync_ids: Collection[str] | None = None,
        lane: Lane = Lane.ALL,
        services: Services | None = None,
    ) -> tuple[Outcome, ...]:
        """Run a window as it is, also one that was cut short."""
        chosen = services or self.services
        found: list[Outcome] = []
        for export in exports or EXPORTS:
            found += run_export(chosen, export, at, Scope(sync_ids, lane))
        commit_window(chosen, at, sync_ids, lane)
        return tuple(found)

    def as_run(self, owner: str, **changed: Any) -> Services:
        """The services of another run."""
        return replace(self.services, owner=owner, **changed)

    def folder(self, sync_id: str = "a") -> Path:
        return self.root / "bucket" / sync_id

    def names(self, sync_id: str = "a") -> list[str]:
        """The files of a sync, without its manifests."""
        folder = self.folder(sync_id)
        return sorted(path.name for path in folder.glob("*.parquet"))

    def manifests(self, sync_id: str = "a") -> list[str]:
        return sorted(path.name for path in (self.folder(sync_id) / "_cio").glob("*"))

    def read(self, export: str, sync_id: str = "a") -> pl.DataFrame:
        """All rows of an export that a sync was sent, in the order of the files' numbers."""
        stem = EXPORTS[export].stem
        found = [parse_name(name) for name in self.names(sync_id)]
        ordered = sorted(
            (name for name in found if name.stem == stem),
            key=lambda name: (name.sequence, name.part or 0),
        )
        frames = [
            pl.read_parquet(self.folder(sync_id) / render_name(name)).with_columns(
                pl.lit(name.series.value).alias("series")
            )
            for name in ordered
        ]
        return pl.concat(frames) if frames else pl.DataFrame()

    def verify(self, sync_id: str = "a") -> VerifyReport:
        """The proof from the bucket alone."""
        return verify(self.services.destinations(self.ledger.registry.get(sync_id).sync))
