"""Which unlisted objects the feed itself may have put: next numbers, and void ones (D5, D10)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS, exports_of
from cio_pipeline.contracts.feeds import exports_of_stems
from cio_pipeline.files.names import LARGEST, FileName
from cio_pipeline.model.manifests import Manifest, ManifestFile
from cio_pipeline.model.plans import Series
from cio_pipeline.verification.files import is_in_place, name_of
from cio_pipeline.verification.sequences import first_numbers

_Pattern = tuple[str, Series]
"""An export and a series: what numbers are counted by."""


@dataclass(frozen=True)
class Expected:
    """Keys whose numbers were declared void, and keys that a running window may have put."""

    void: Collection[str]
    in_flight: Collection[str]


def exports_by_stem(manifests: Sequence[Manifest], stems: Mapping[str, str]) -> dict[str, str]:
    """Which export a stem is of: by the files listed, else by the sync or the contract.

    Exports of a newer version are among them: the sync may have been upgraded since.
    """
    found: dict[str, str] = {}
    for file in (file for m in manifests for file in m.files):
        name = name_of(file.key)
        if name:
            found.setdefault(name.stem, file.export)
    told = set(found.values())
    for stem, export in exports_of_stems(stems).items():
        if export not in told:
            found.setdefault(stem, export)
    return found


def expected_keys(
    keys: Collection[str], manifests: Sequence[Manifest], exports: Mapping[str, str]
) -> Expected:
    """Sort out unlisted keys; `exports` says which export a stem is of."""
    # A plan of before an upgrade is finished in the version that it was made in; after one, files
    # come before the first manifest that tells of it.
    newest = manifests[-1].version
    versions = {version for version in VERSIONS if version >= newest}
    versions |= {file.version for m in manifests for file in m.files}
    ours = {
        key: name
        for key in keys
        if (name := name_of(key))
        and is_in_place(key)
        and name.version in versions
        and _may_be_ours(name, manifests[-1].workspace_id, exports)
    }
    void = {(v.export, v.series, v.sequence) for m in manifests for v in m.void}
    voided = {k for k, n in ours.items() if (exports[n.stem], n.series, n.sequence) in void}
    coming = {key: name for key, name in ours.items() if key not in voided}
    return Expected(voided, set(_next_ones(coming, exports, _highest(manifests))))


def _may_be_ours(name: FileName, workspace_id: int, exports: Mapping[str, str]) -> bool:
    export = EXPORTS.get(exports.get(name.stem, ""))
    return (
        export is not None
        and export in exports_of(name.version)
        and name.workspace_id == workspace_id
        and (name.series is Series.PLAIN or export.split)
        and (name.part is None or export.numbered_parts)
    )


def _highest(manifests: Sequence[Manifest]) -> dict[_Pattern, tuple[int, int]]:
    """The last number and part accounted for; a number without parts has no next part."""
    begun = first_numbers(manifests)
    found = {pattern: (number - 1, LARGEST) for pattern, number in begun.items()}
    for manifest in manifests:
        for one in (*manifest.files, *manifest.void):
            part = one.part if isinstance(one, ManifestFile) and one.part else LARGEST
            pattern = (one.export, one.series)
            found[pattern] = max(found.get(pattern, (0, LARGEST)), (one.sequence, part))
    return found


def _next_ones(
    ours: Mapping[str, FileName],
    exports: Mapping[str, str],
    highest: Mapping[_Pattern, tuple[int, int]],
) -> Iterator[str]:
    """The keys whose numbers go on from the listed ones without a gap: files are put in order."""
    reached = dict(highest)
    for key, name in sorted(ours.items(), key=lambda item: (item[1].sequence, item[1].part or 0)):
        pattern = (exports[name.stem], name.series)
        number, part = reached.get(pattern, (0, LARGEST))
        next_part = (number, part + 1) if part < LARGEST else None
        if (name.sequence, name.part) in {next_part, (number + 1, None), (number + 1, 1)}:
            reached[pattern] = (name.sequence, name.part or LARGEST)
            yield key
