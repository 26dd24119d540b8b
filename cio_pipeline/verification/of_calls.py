"""Verification of what is special to files of calls: names, shared positions, unlisted objects."""

from collections.abc import Collection, Iterable, Iterator

from cio_pipeline.files.call_names import CallFileName, parse_call_name
from cio_pipeline.model.errors import InvalidKey
from cio_pipeline.model.manifests import ManifestFile
from cio_pipeline.verification.report import RESTORE_ALL, Problem, ProblemKind
from cio_pipeline.verification.unlisted import REMOVE, BucketContents, Judged

_IN_FLIGHT = (
    "No manifest lists it yet. The window that sends it will; if it stays so, find out who put it."
)
_VOID = "Its position was declared void; its calls were sent under another one. Remove it."


def call_name_of(key: str) -> CallFileName | None:
    """The name in a key; None if it is not that of a file of calls."""
    try:
        return parse_call_name(key)
    except InvalidKey:
        return None


def check_call_name(
    file: ManifestFile,
    workspace_id: int,  # noqa: ARG001 - names of calls do not tell it
) -> Iterator[Problem]:
    """Whether the key says what the manifest says."""
    name = call_name_of(file.key)
    if name is None:
        yield Problem(
            ProblemKind.MISNAMED, file.key, f"No file of calls has such a key. {RESTORE_ALL}"
        )
    elif name.position != file.sequence:
        text = f"Its position differs from its manifest's. {RESTORE_ALL}"
        yield Problem(ProblemKind.MISNAMED, file.key, text)


def unlisted_calls(bucket: BucketContents) -> Iterator[Judged]:
    """What unlisted objects are that readers could take for files of calls."""
    manifests = bucket.manifests
    void = {one.sequence for manifest in manifests for one in manifest.void}
    files = [file for manifest in manifests for file in manifest.files]
    begun = [one.sequence - 1 for manifest in manifests for one in manifest.begins or ()]
    last = max([0, *begun, *void, *(file.sequence for file in files)])
    ours = _ids(files)
    for key in bucket.unlisted:
        name = call_name_of(key)
        if name is None:
            continue
        if ours and (name.integration_id, name.action_id) not in ours:
            text = f"It is named as a file of another sync. {REMOVE}"
            yield Problem(ProblemKind.FOREIGN, key, text), True
        elif name.position in void:
            yield Problem(ProblemKind.UNLISTED, key, _VOID), False
        elif name.position > last:
            yield Problem(ProblemKind.UNLISTED, key, _IN_FLIGHT), False
        else:
            text = f"No manifest lists it, and its position is one of the past. {REMOVE}"
            yield Problem(ProblemKind.UNLISTED, key, text), True


def _ids(files: Iterable[ManifestFile]) -> Collection[tuple[int, int]]:
    named = filter(None, (call_name_of(file.key) for file in files))
    return {(name.integration_id, name.action_id) for name in named}
