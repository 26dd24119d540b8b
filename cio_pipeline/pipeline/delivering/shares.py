"""What each slice reads of a range of changes, shared out in one pass over them.

Without it each slice would read all changes again: a large window would cost its square.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cio_pipeline.changesets.parts import belongs, key_of
from cio_pipeline.model.slices import Bucket, Part

_KEY = "_key"


@dataclass(frozen=True)
class Share:
    """The changes of some workspaces that one slice reads."""

    part: Part
    workspaces: frozenset[int]

    def is_in(self, other: "Share") -> bool:
        """Whether another one holds all of it."""
        return self.part == other.part and self.workspaces <= other.workspaces


def share_out(
    batches: Iterable[pl.DataFrame],
    shares: Sequence[Share],
    folder: Path,
    fits: Callable[[], bool] = lambda: True,
) -> dict[Share, list[Path]]:
    """Write what each share has of the batches of a feed, into files with the feed's columns.

    Each has one at least. Once it no longer `fits`, the last shares are left out. Raises what
    reading does, and what Polars does when it cannot write.
    """
    found: dict[Share, list[Path]] = {share: [] for share in shares}
    for batch in batches:
        keyed = _keyed(batch, shares)
        for place, share in enumerate(shares):
            rows = keyed.filter(_is_of(share)).select(batch.columns)
            paths = found.get(share)
            if paths is not None and (rows.height or not paths):
                # Files of their own: as many could not be open at a time.
                path = folder / f"share-{place}-{len(paths)}.arrow"
                rows.write_ipc(path, compression="lz4")
                paths.append(path)
                _leave_out(found, fits)
        if not found:
            break
    return found


def _leave_out(found: dict[Share, list[Path]], fits: Callable[[], bool]) -> None:
    while found and not fits():
        _, paths = found.popitem()
        for path in paths:
            path.unlink()


def _keyed(batch: pl.DataFrame, shares: Iterable[Share]) -> pl.DataFrame:
    """The rows with the key that tells their bucket, made once for all shares."""
    by = next((one.part.by for one in shares if isinstance(one.part, Bucket)), None)
    return batch if by is None else batch.with_columns(key_of(by).alias(_KEY))


def _is_of(share: Share) -> pl.Expr:
    served = pl.col("workspace_id").is_in(sorted(share.workspaces))
    if isinstance(share.part, Bucket):
        return served & (pl.col(_KEY) % share.part.of == share.part.number)
    return served & belongs(share.part)
