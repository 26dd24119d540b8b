"""Manifests: the numbered, chained record of everything that a sync was sent (D10).

A manifest lies under `_cio/<ordinal>.manifest` and is canonical JSON: equal content, equal bytes.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import NoReturn

import msgspec
from pydantic import TypeAdapter

from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import ManifestBroken
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.plans import Mode, Series

FORMAT = 1
FOLDER = "_cio"
ACKNOWLEDGED = f"{FOLDER}/acknowledged"
"""An object that a reader puts: the ordinal of the last manifest that it has loaded, as digits."""
CHAIN = "manifest"
"""Stands for the export where a sync's chain is leased, or an error of it recorded."""
_NAME = re.compile(rf"^{FOLDER}/([1-9][0-9]*)\.manifest$")


@dataclass(frozen=True)
class ManifestFile:
    """One committed file. `window_end` is the end of the window that it was sent in.

    `contract` names the terms of the sync's data contract that its rows were held to, if any.
    """

    key: str
    export: str
    series: Series
    sequence: int
    part: int | None
    rows: int
    bytes: int
    sha256: str
    fingerprint: str
    version: int
    window_end: datetime
    generation: int
    mode: Mode
    min_time: datetime | None
    max_time: datetime | None
    contract: str | None = None


@dataclass(frozen=True)
class VoidSequence:
    """A number that was planned and will never be delivered."""

    export: str
    series: Series
    sequence: int


@dataclass(frozen=True)
class KnownObject:
    """An object that was put for a sync: what lies under its key with its size is ours.

    But for those that are not `committed`: a run died, or gave up, around their put.
    """

    key: str
    size: int
    sha256: str
    committed: bool = True


@dataclass(frozen=True)
class FirstNumber:
    """The number that a series goes on with where a chain begins anew."""

    export: str
    series: Series
    sequence: int


@dataclass(frozen=True)
class InitialProgress:
    """A plan under way: of `slices` of `slice_rows` source rows, `done` were delivered.

    `at` is the end of the window that it belongs to. Changes begin at `since`, the driving table's
    cut at the export's position; an initial export has none.
    """

    at: datetime
    slices: int
    slice_rows: int | None
    done: int
    since: TableCut | None = None


@dataclass(frozen=True)
class ExportStatus:
    """Where an export stood when the manifest was written.

    `state` is one of delivered, empty, outstanding, initial-running, paused. `position` is the
    end of the last window delivered, if any. `source` is the export's driving table there, or
    where its initial export reads it: a ledger that was lost goes on from exactly there.
    """

    export: str
    state: str
    position: datetime | None
    source: TableCut | None = None
    initial: InitialProgress | None = None


@dataclass(frozen=True)
class Superseded:
    """A file that was rewritten in place: what lies under its key since, and why.

    `before` is the digest of what lay there. `why` is `erasure`: a person's data was taken out.
    """

    key: str
    before: str
    sha256: str
    rows: int
    bytes: int
    why: str = "erasure"


@dataclass(frozen=True)
class Replay:
    """A window that is sent again: its files of `export` hold what changed in [start, end).

    Rows that have a newer version by now are left out, unless `all_rows`.
    """

    export: str
    start: datetime
    end: datetime
    all_rows: bool = False


@dataclass(frozen=True)
class Since:
    """Files of `export` and the window that ends at `end` hold what changed from `start` on.

    `source` is the driving table there. Told of exports that forward what changed: no first files
    with all history tell where theirs begin.
    """

    export: str
    start: datetime
    end: datetime
    source: TableCut | None


@dataclass(frozen=True)
class Manifest:
    """All that was committed for a sync since the manifest `ordinal - 1`.

    `previous` is the sha256 of that manifest's bytes; None for the first. `begins` stands in the
    first manifest of a chain that begins anew where it lies: the manifests before it, and what
    they list, were purged or lie elsewhere.
    """

    sync_id: str
    workspace_id: int
    feed: Feed
    version: int
    generation: int
    ordinal: int
    created_at: datetime
    previous: str | None
    files: tuple[ManifestFile, ...]
    void: tuple[VoidSequence, ...]
    exports: tuple[ExportStatus, ...]
    begins: tuple[FirstNumber, ...] | None = None
    superseded: tuple[Superseded, ...] = ()
    replay_of: tuple[Replay, ...] = ()
    since: tuple[Since, ...] = ()


def as_they_lie(manifests: Sequence[Manifest]) -> list[Manifest]:
    """A chain's manifests, in order, with each file as it lies in the bucket after all of them.

    A message that came later under a key that was rewritten lies there as it was listed (M4).
    """
    lying: dict[str, Superseded] = {}
    for manifest in manifests:
        for file in manifest.files if lying else ():
            lying.pop(file.key, None)
        lying.update((one.key, one) for one in manifest.superseded)
    return [_with(manifest, lying) for manifest in manifests] if lying else list(manifests)


def _with(manifest: Manifest, lying: Mapping[str, Superseded]) -> Manifest:
    if all(file.key not in lying for file in manifest.files):
        return manifest
    files = (
        replace(file, sha256=now.sha256, rows=now.rows, bytes=now.bytes)
        if (now := lying.get(file.key))
        else file
        for file in manifest.files
    )
    return replace(manifest, files=tuple(files))


def manifest_key(ordinal: int) -> str:
    """The key of a manifest under the destination's path."""
    return f"{FOLDER}/{ordinal}.manifest"


def manifest_ordinal(key: str) -> int | None:
    """The ordinal in a manifest's key; None if `key` is not one. Inverse of manifest_key."""
    match = _NAME.match(key)
    return int(match.group(1)) if match else None


def acknowledged_in(body: bytes, last: int) -> int:
    """The ordinal in an ACKNOWLEDGED object; ManifestBroken unless it is one up to `last`."""
    text = body.strip()
    if re.fullmatch(rb"[0-9]{1,18}", text) and int(text) <= last:
        return int(text)
    raise ManifestBroken(
        f"{ACKNOWLEDGED} tells no manifest that was put: the last is {last}.",
        "The reader writes the ordinal of the last manifest that it has loaded there, as digits.",
    )


def digest(body: bytes) -> str:
    """The sha256 of some bytes as hex."""
    return hashlib.sha256(body).hexdigest()


def render_manifest(manifest: Manifest, listed: Iterable[bytes] | None = None) -> bytes:
    """The manifest's bytes: canonical JSON, one line feed at the end.

    `listed` are its files (`render_file`) if they were rendered before; it has none itself then.
    """
    files = list(map(render_file, manifest.files) if listed is None else listed)
    told = _adapter().dump_python(replace(manifest, files=()), mode="json")
    content = {name: it for name, it in told.items() if it or name not in _IF_ANY}
    text = json.dumps({"format": FORMAT, **content}, sort_keys=True)
    try:
        # Indented by itself, Python's JSON takes three times as long.
        body = msgspec.json.format(text.encode(), indent=1) + b"\n"
    except msgspec.DecodeError:  # half of a surrogate pair, which no id that is registered has
        body = (json.dumps(json.loads(text), indent=1) + "\n").encode()
    head, tail = body.split(_NO_FILES)
    if not files:
        return head + _NO_FILES + tail
    # Joined once: of very many files, that is all that is held twice.
    files[0] = head + _FILES + files[0]
    files[-1] += b"\n ]" + tail
    return b",".join(files)


def render_file(file: ManifestFile) -> bytes:
    """A file as its manifest lists it, between commas; see `render`."""
    # Fields by name, as everywhere in a manifest. A window may send very many.
    held_to = f'\n   "contract": {_quoted(file.contract)},' if file.contract is not None else ""
    return f"""
  {{
   "bytes": {file.bytes},{held_to}
   "export": {_quoted(file.export)},
   "fingerprint": {_quoted(file.fingerprint)},
   "generation": {file.generation},
   "key": {_quoted(file.key)},
   "max_time": {_time(file.max_time)},
   "min_time": {_time(file.min_time)},
   "mode": "{file.mode.value}",
   "part": {"null" if file.part is None else file.part},
   "rows": {file.rows},
   "sequence": {file.sequence},
   "series": "{file.series.value}",
   "sha256": {_quoted(file.sha256)},
   "version": {file.version},
   "window_end": {_time(file.window_end)}
  }}""".encode()


def _time(at: datetime | None) -> str:
    return "null" if at is None else f'"{at.isoformat().replace("+00:00", "Z")}"'


def parse_manifest(body: bytes) -> Manifest:
    """A manifest from its bytes, the inverse of render.

    Raises ManifestBroken if it is no manifest of a format that this version reads.
    """
    try:
        content = json.loads(body)
        known = content.pop("format") == FORMAT
        return _adapter().validate_python(content) if known else _unknown_format()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestBroken(
            f"The manifest cannot be read ({type(error).__name__}).",
            "Put the original back with `cio-pipeline export --restore`.",
        ) from error


def _unknown_format() -> NoReturn:
    raise ManifestBroken("The manifest has an unknown format.", "Upgrade cio-pipeline.")


@cache
def _adapter() -> TypeAdapter[Manifest]:
    """Made when it is used: who reads no manifest need not wait for it."""
    return TypeAdapter(Manifest)


_IF_ANY = frozenset({"superseded", "replay_of", "since"})
_FILES = b'\n "files": ['
_NO_FILES = _FILES + b"]"
