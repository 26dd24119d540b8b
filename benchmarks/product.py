"""A whole product in a folder: source tables, a ledger with many syncs, local buckets."""

import shutil
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.measure import in_child
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.registry import ExportSwitch
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window, data_out_window
from cio_pipeline.pipeline.planning.cuts import decide_cut
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import Settings
from cio_pipeline.sources.tables import commit_rows, create_tables
from cio_pipeline.wiring import open_services

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = data_out_window(NOON)
"""The window up to which everything counts as delivered."""

NEXT = data_out_window(NOON + timedelta(minutes=15))
"""The window that is measured."""


@dataclass(frozen=True)
class Product:
    """A product below `home`; `source`, a folder or a URL, may be shared by several.

    Its buckets are relative: processes of it run in `home`.
    """

    home: Path
    source: Path | str

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process of this product is told."""
        return {
            "CIO_HOME": str(self.home),
            "CIO_SOURCE": self.tables,
            "CIO_LEDGER": self.ledger,
            "DAGSTER_HOME": str(self.home / "dagster"),
            # The job without any sync runs that window, too.
            "CIO_FIRST_WINDOW": f"{NOON:%Y-%m-%dT%H:%M}",
        }

    @property
    def tables(self) -> str:
        """Where the source tables are."""
        return self.source if isinstance(self.source, str) else f"delta:{self.source}"

    @property
    def folder(self) -> Path:
        """Where source tables in Delta Lake lie."""
        return Path(self.source)

    @property
    def ledger(self) -> str:
        """The ledger's URL."""
        return f"sqlite:///{self.home / 'ledger.db'}"

    def services(self) -> Services:
        """Its adapters, the clock standing just after the measured window."""
        chosen = Settings(self.home, self.tables, self.ledger)
        return replace(open_services(chosen).services, clock=just_after, owner="benchmark")

    def run(self, function: str, **given: Any) -> Any:
        """What a function of this package returns in a fresh process of this product."""
        return in_child(function, home=self.home, environment=self.environment, **given)

    def register(self, syncs: int, exports: list[str] | None = None) -> None:
        """A sync for each of the workspaces 1 to `syncs`, with a bucket each."""
        registry = self.services().ledger.registry
        on = {name: ExportSwitch(enabled=True) for name in exports or EXPORTS}
        for number in range(1, syncs + 1):
            registry.put(self._sync(number, exports), on, NOON - timedelta(days=1))

    def count_as_delivered(self, exports: Iterable[str] = EXPORTS) -> None:
        """Move every position to the end of BEFORE, as if all until then had been sent."""
        services = self.services()
        cut = decide_cut(services, BEFORE.end)
        ids = [one.sync.id for one in services.ledger.registry.all()]
        for export in exports:
            pairs = [(sync_id, export) for sync_id in ids]
            lease, _ = services.ledger.leases.claim(
                pairs, "benchmark", just_after(), timedelta(minutes=5)
            )
            services.ledger.plans.advance(lease, pairs, cut, just_after())
            services.ledger.leases.release(lease)

    @staticmethod
    def _sync(number: int, exports: list[str] | None) -> Sync:
        return Sync.model_validate(
            {
                "id": f"w{number:05d}",
                "workspace_id": number,
                "exports": exports or "all",
                "destination": {"type": "local", "path": f"bucket/w{number:05d}"},
            }
        )


@contextmanager
def fresh(home: Path) -> Generator[Path]:
    """An empty folder that is gone afterwards, and so is what a killed run left there."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    try:
        yield home
    finally:
        shutil.rmtree(home)


def just_after() -> datetime:
    """The made clock."""
    return NEXT.end + timedelta(seconds=1)


def fill(source: Path, table: SourceTable, rows: pl.DataFrame, window: Window) -> None:
    """Commit rows to a table in a window; what is there already is overwritten by identity."""
    commit_rows(str(source), table, rows, window.start + timedelta(minutes=5))


def empty_source(source: Path) -> None:
    """All source tables, empty."""
    create_tables(str(source), SOURCE_TABLES.values())


def is_mutable(table: SourceTable) -> bool:
    """Whether rows of the table change."""
    return table.kind is TableKind.MUTABLE
