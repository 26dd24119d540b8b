"""What lies in a sync's bucket, file by file: names are read as the product's readers do (D5).

Rows are read as they lie, so that a column too many is seen; tables of them are in tables.py.
"""

import io
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from cio_pipeline.model.objects import ObjectInfo
from cio_pipeline.reader.by_names import named_files
from cio_pipeline_tests.convergence.meaning import Row
from cio_pipeline_tests.convergence.sending import Frozen, frozen
from cio_pipeline_tests.convergence.stores import Store


@dataclass(frozen=True)
class Sent:
    """One file of a bucket. `series` is plain, chngs or parts (two numbers)."""

    export: str
    version: int
    series: str
    workspace: int
    sequence: int
    part: int
    rows: tuple[Row, ...]

    @property
    def order(self) -> tuple[str, int, int]:
        # Numbers of chngs are counted apart; rows of one entity never share a time across the two.
        return self.series, self.sequence, self.part


@dataclass
class Bucket:
    """What a sync was sent. Files never change (verify proves it), so each is read once."""

    store: Store
    sync_id: str
    known: dict[str, Sent] = field(default_factory=dict[str, Sent])
    begun_anew: bool = False
    """Whether numbers go on from files that were purged."""

    def purged(self) -> None:
        """All files are gone."""
        assert all(key.startswith("_cio/") for key in self.listing())
        self.known.clear()
        self.begun_anew = True

    def listing(self) -> Mapping[str, object]:
        """Every object, with what is another once it was written again."""
        return self.store.stamps(self.sync_id)

    def bodies(self) -> dict[str, bytes]:
        """The bytes of every object."""
        return {key: self.store.read(self.sync_id, key) for key in self.listing()}

    def files(self, export: str | None = None) -> list[Sent]:
        """The files of an export, in order."""
        for key in self.listing():
            if key not in self.known and key.endswith(".parquet"):
                self.known[key] = _read(key, self.store.read(self.sync_id, key))
        found = (file for file in self.known.values() if export in {None, file.export})
        return sorted(found, key=lambda file: (file.export, *file.order))

    def counted(self, export: str) -> Counter[Frozen]:
        """(series, row) of all that was sent of an export."""
        return Counter((f.series, frozen(row)) for f in self.files(export) for row in f.rows)

    def gaps(self) -> list[str]:
        """Series whose numbers are not 1, 2, 3, …, each once (or begin later); and empty files."""
        numbers: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        wrong: list[str] = []
        for file in self.files():
            if not file.rows:
                wrong.append(f"{file.export} {file.series} {file.sequence} has no rows")
            series = "plain" if file.series == "parts" else file.series
            numbers[file.export, series].append((file.sequence, file.part))
        for (export, series), found in numbers.items():
            sequences = sorted({sequence for sequence, _ in found})
            parts = sorted(part for sequence, part in found if part)
            first = sequences[0] if self.begun_anew else 1
            whole = sequences == list(range(first, first + len(sequences)))
            whole = whole and parts == list(range(1, len(parts) + 1))
            if not whole or len(set(found)) != len(found):
                wrong.append(f"{export} {series} has the numbers {sorted(found)}")
        return wrong


def _read(key: str, body: bytes) -> Sent:
    named = named_files([ObjectInfo(key, len(body))], {})
    (file,) = named.files
    series = "parts" if file.part else file.series.value
    workspace = int(named.owner.removeprefix("workspace "))
    rows: list[dict[str, Any]] = pl.read_parquet(io.BytesIO(body)).to_dicts()
    numbers = (file.sequence, file.part or 0)
    return Sent(file.export, file.version, series, workspace, *numbers, tuple(rows))
