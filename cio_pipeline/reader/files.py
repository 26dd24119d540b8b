"""The files of a feed that are to be read, by what manifests say of them (D10), or by their names.

Belongs here: which files count, and in which order their rows do. Not here: reading them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cio_pipeline.model.errors import FileAltered
from cio_pipeline.model.manifests import Manifest, ManifestFile
from cio_pipeline.model.plans import Mode, Series

_OF_A_WINDOW = frozenset({Mode.INITIAL, Mode.CHANGES, Mode.CATCH_UP})
"""Modes of files of which a window may have a part only."""


@dataclass(frozen=True)
class FeedFile:
    """One file. What only a manifest tells is None where there is none."""

    key: str
    export: str
    version: int
    series: Series
    sequence: int
    part: int | None
    bytes: int
    rows: int | None = None
    sha256: str | None = None
    fingerprint: str | None = None
    mode: Mode | None = None
    window_end: datetime | None = None
    generation: int | None = None
    ordinal: int | None = None

    @property
    def place(self) -> tuple[bool, int, int]:
        """In a tie of two rows the one of the file with the larger place counts (D1)."""
        return self.series is Series.CHNGS, self.sequence, self.part or 0

    @property
    def replays(self) -> bool:
        """Whether its rows were sent before."""
        return self.mode is Mode.REPLAY


def listed(file: ManifestFile, ordinal: int) -> FeedFile:
    """A file as a manifest lists it."""
    return FeedFile(
        file.key,
        file.export,
        file.version,
        file.series,
        file.sequence,
        file.part,
        file.bytes,
        file.rows,
        file.sha256,
        file.fingerprint,
        file.mode,
        file.window_end,
        file.generation,
        ordinal,
    )


def as_of(manifests: Sequence[Manifest], at: int | datetime | None) -> Sequence[Manifest]:
    """The manifests up to an ordinal, or to the last that tells of a window up to a time."""
    match at:
        case None:
            return manifests
        case int():
            return [one for one in manifests if one.ordinal <= at]
        case _:
            told = [place for place, one in enumerate(manifests) if _tells_of(one, at)]
            return manifests[: max(told, default=-1) + 1]


def _tells_of(manifest: Manifest, at: datetime) -> bool:
    return any(file.window_end <= at for file in manifest.files)


def files_of(manifests: Sequence[Manifest], at: int | datetime | None) -> list[FeedFile]:
    """The files that count after these manifests: of the last generation, and of whole windows.

    Of files that replace one another under a key (M4), the last; they count at once, since what
    they took the place of is gone.
    """
    if not manifests:
        return []
    generation = max(manifest.generation for manifest in manifests)
    half = () if manifests[-1].feed.facts.overwrites else windows_under_way(manifests[-1])
    found: dict[str, FeedFile] = {}
    for manifest in manifests:
        for file in manifest.files:
            if file.generation == generation and not _left_out(file, half, at):
                found.pop(file.key, None)
                found[file.key] = listed(file, manifest.ordinal)
    return in_order(found.values())


def require_not_overwritten(files: Iterable[FeedFile], manifests: Iterable[Manifest]) -> None:
    """Raise FileAltered if a later manifest put another file in the place of one of these (M4)."""
    last = {file.key: manifest.ordinal for manifest in manifests for file in manifest.files}
    for file in files:
        if file.ordinal != last[file.key]:
            raise FileAltered(
                f"'{file.key}' was overwritten with manifest {last[file.key]}: what manifest "
                f"{file.ordinal} put there cannot be read any more.",
                f"Read as_of={last[file.key]} or later, or leave `as_of` out.",
            )


def goes_on_from_elsewhere(manifests: Sequence[Manifest]) -> str | None:
    """What is not told of a chain that was begun in another place and goes on here (D7); or None.

    A new generation, after a purge, sends all history again: nothing is missing there.
    """
    if not manifests or manifests[0].begins is None:
        return None
    if all(status.position is None for status in manifests[0].exports):
        return None
    return (
        f"The sync was moved here: its manifests begin with {manifests[0].ordinal}. What was "
        "delivered before lies in another place, and is not part of what is read here."
    )


def windows_under_way(manifest: Manifest) -> Collection[tuple[str, datetime]]:
    """Export and end of each window of which a part is delivered: the rest comes later."""
    return {(one.export, one.initial.at) for one in manifest.exports if one.initial}


def _left_out(
    file: ManifestFile, half: Collection[tuple[str, datetime]], at: int | datetime | None
) -> bool:
    if file.mode in _OF_A_WINDOW and (file.export, file.window_end) in half:
        return True
    return isinstance(at, datetime) and file.window_end > at


def in_order(files: Iterable[FeedFile]) -> list[FeedFile]:
    """Files in the order of their places: a later one's rows win a tie."""
    return sorted(files, key=lambda file: (file.export, *file.place, file.key))
