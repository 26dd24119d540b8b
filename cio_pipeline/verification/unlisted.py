"""Verification of objects that no manifest lists: copies, foreign files, files in flight (D10).

Readers that list the bucket instead of following the manifests take `*people_v5_*` for theirs:
whatever looks like a file of the feed is held against what was delivered.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cio_pipeline.files.names import key_problem, shown
from cio_pipeline.model.errors import CioError, ObjectArchived, ObjectMissing
from cio_pipeline.model.manifests import (
    ACKNOWLEDGED,
    FOLDER,
    Manifest,
    ManifestFile,
    manifest_ordinal,
)
from cio_pipeline.ports import Destination
from cio_pipeline.verification.files import name_of
from cio_pipeline.verification.in_flight import Expected, expected_keys, exports_by_stem
from cio_pipeline.verification.report import Problem, ProblemKind, said

SUFFIX = ".parquet"

REMOVE = "Find out who put it, and remove it."
_MANIFESTS_FIRST = "If manifests are missing, put those back first."
_IN_FLIGHT = (
    "No manifest lists it yet. The window that sends it will; if it stays so, find out who put it. "
    "If the sync's `manifest` is off, verify the sync by its id."
)


@dataclass(frozen=True)
class Unlisted:
    """What is wrong with the objects that no manifest lists, and what may be right."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


Judged = tuple[Problem, bool]
"""What an unlisted object is, and whether that is wrong."""


@dataclass(frozen=True)
class BucketContents:
    """What a sync's destination holds, its manifests, and what unlisted objects are judged by.

    `stems` are those of the sync that differ from the contract's, by export. With `deep`, bytes are
    read.
    """

    destination: Destination
    sizes: Mapping[str, int]
    manifests: Sequence[Manifest]
    stems: Mapping[str, str]
    deep: bool

    @property
    def unlisted(self) -> list[str]:
        """The keys of objects that no manifest lists and that are none."""
        listed = {file.key for manifest in self.manifests for file in manifest.files}
        others = self.sizes.keys() - listed - {ACKNOWLEDGED}
        return [key for key in sorted(others) if manifest_ordinal(key) is None]


@dataclass(frozen=True)
class _Known:
    """What unlisted objects are held against. `stems` says which export a stem is of."""

    bucket: BucketContents
    workspace_id: int
    stems: Mapping[str, str]
    by_size: Mapping[int, Sequence[ManifestFile]]
    expected: Expected


def check_unlisted(
    bucket: BucketContents, judge: Callable[[BucketContents], Iterable[Judged]] | None
) -> Unlisted:
    """Name the unlisted objects that readers could take for files of the feed.

    `judge` is the feed's, None if no manifest tells it. Keys that no sync gives are named, and
    never read.
    """
    odd = [key for key in sorted(bucket.sizes) if key_problem(key) is not None]
    clean = {key: size for key, size in bucket.sizes.items() if key_problem(key) is None}
    if judge is None:
        found = list(_no_manifest(sum(map(_looks_like_a_file, clean))))
    else:
        found = list(judge(replace(bucket, sizes=clean)))
    found += [(_odd(key), _looks_like_a_file(key)) for key in odd]
    return Unlisted(
        tuple(problem for problem, wrong in found if wrong),
        tuple(problem for problem, wrong in found if not wrong),
    )


def _odd(key: str) -> Problem:
    text = f"The key {key_problem(key)}: no sync puts such an object, and some programs stop at it."
    return Problem(ProblemKind.STRANGE, shown(key), f"{text} {REMOVE}")


def _looks_like_a_file(key: str) -> bool:
    return key.lower().endswith(SUFFIX)


def unlisted_messages(bucket: BucketContents) -> Iterator[Judged]:
    """A key of a message says nothing of whom it is from."""
    for key in bucket.unlisted:
        yield Problem(ProblemKind.UNLISTED, key, _IN_FLIGHT), False


def _no_manifest(count: int) -> Iterator[Judged]:
    if not count:
        return
    text = (
        f"There is no manifest to prove anything by, but {count} {SUFFIX} "
        f"file{'' if count == 1 else 's'}. If the sync's `manifest` is off, verify it by its id: "
        "its manifests are in the ledger. If its first window is running, verify again after it."
    )
    yield Problem(ProblemKind.NO_MANIFEST, FOLDER, text), True


def unlisted_exports(bucket: BucketContents) -> Iterator[Judged]:
    """What unlisted objects are that readers could take for files of data-out.

    A copy of a listed file is one by its digest; without `deep`, by its size, but for files that
    a running window may have put.
    """
    manifests, keys = bucket.manifests, bucket.unlisted
    by_size: dict[int, list[ManifestFile]] = defaultdict(list)
    for file in (file for m in manifests for file in m.files):
        by_size[file.bytes].append(file)
    stems = exports_by_stem(manifests, bucket.stems)
    expected = expected_keys(keys, manifests, stems)
    known = _Known(bucket, manifests[-1].workspace_id, stems, by_size, expected)
    for key in keys:
        yield from _judge(known, key)


def _judge(known: _Known, key: str) -> Iterator[Judged]:
    """What an unlisted object is, and whether that is wrong; nothing if no reader minds it."""
    try:
        twin = _twin(known, key)
    except ObjectMissing:
        return  # Removed since it was listed.
    except ObjectArchived:
        yield from _judge_name(known, key)
        return
    except CioError as error:
        yield Problem(ProblemKind.UNREADABLE, key, said(error)), True
        return
    expected = key in known.expected.void or key in known.expected.in_flight
    if twin is not None and (known.bucket.deep or not expected):
        yield Problem(ProblemKind.DOUBLED, key, _doubled(known, twin, expected=expected)), True
    elif twin is not None:
        text = (
            f"No manifest lists it, and it has the size of {twin.key}. "
            "Verify without --quick to tell whether it is a copy."
        )
        yield Problem(ProblemKind.UNLISTED, key, text), False
    else:
        yield from _judge_name(known, key)


def _twin(known: _Known, key: str) -> ManifestFile | None:
    """The listed file that an object is a copy of; without `deep`, one that has its size."""
    files = known.by_size.get(known.bucket.sizes[key], ())
    if not files or not known.bucket.deep:
        return files[0] if files else None
    found = known.bucket.destination.sha256(key)
    return next((file for file in files if file.sha256 == found), None)


def _doubled(known: _Known, twin: ManifestFile, *, expected: bool) -> str:
    if twin.key not in known.bucket.sizes:
        return (
            f"It is {twin.key} under another name, as far as this tells. "
            "Give it its name back, or remove it if it was loaded."
        )
    what = "is a copy of" if known.bucket.deep else "has the size of the listed"
    check = "" if known.bucket.deep else " Verify without --quick to be sure."
    window = " If a window is running, verify again after it." if expected else ""
    return (
        f"It {what} {twin.key}: readers that list the bucket load those rows twice.{check}{window} "
        f"{_MANIFESTS_FIRST} {REMOVE}"
    )


def _judge_name(known: _Known, key: str) -> Iterator[Judged]:
    name = name_of(key)
    if name is None:
        yield from _judge_foreign(known, key)
    elif name.workspace_id != known.workspace_id:
        text = f"It is named as a file of workspace {name.workspace_id}, and in no manifest."
        yield Problem(ProblemKind.FOREIGN, key, f"{text} {REMOVE}"), True
    elif name.stem not in known.stems:
        text = f"No export of this sync has the stem '{name.stem}'."
        yield Problem(ProblemKind.STRANGE, key, f"{text} {REMOVE}"), True
    elif key in known.expected.void:
        text = "Its number was declared void; its rows were sent under another one. Remove it."
        yield Problem(ProblemKind.UNLISTED, key, text), False
    elif key in known.expected.in_flight:
        yield Problem(ProblemKind.UNLISTED, key, _IN_FLIGHT), False
    else:
        text = (
            "No manifest lists it, and no window puts such a file next. "
            f"{_MANIFESTS_FIRST} {REMOVE}"
        )
        yield Problem(ProblemKind.UNLISTED, key, text), True


def _judge_foreign(known: _Known, key: str) -> Iterator[Judged]:
    """Objects that are not named like the feed's files matter if a reader could think they are."""
    last = key.rpartition("/")[2].lower()
    if last.endswith(SUFFIX):
        text = f"It is a {SUFFIX} file, but not named like one of the feed."
        yield Problem(ProblemKind.STRANGE, key, f"{text} {REMOVE}"), True
    elif any(re.search(rf"{re.escape(stem)}_v[0-9]", last) for stem in known.stems):
        text = "Readers that match names loosely may take it for a file of the feed."
        yield Problem(ProblemKind.STRANGE, key, f"{text} {REMOVE}"), False
