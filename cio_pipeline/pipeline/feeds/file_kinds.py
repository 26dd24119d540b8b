"""Which type of call a file holds, by its name."""

from collections.abc import Iterable, Iterator

from cio_pipeline.contracts.exports.calls import CALLS
from cio_pipeline.files.call_names import parse
from cio_pipeline.model.plans import SealedFile


def kinds_of(export: str, files: Iterable[SealedFile]) -> Iterator[tuple[str, int, int]]:
    """Type, rows and bytes of each file of calls; nothing for other exports."""
    if export == CALLS.name:
        for file in files:
            yield parse(file.key).type, file.rows, file.bytes
