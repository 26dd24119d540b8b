"""Many small objects in the spool: the bodies of a workspace in one file, metadata in another.

Bodies follow one another, so an object begins where the sizes of those before it end; its metadata
is the line of the same number.
"""

import hashlib
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from cio_pipeline.files.message_objects import MessageObject
from cio_pipeline.files.spool import Spool
from cio_pipeline.files.system_errors import reason
from cio_pipeline.model.errors import CioError, DestinationUnavailable
from cio_pipeline.model.plans import SealedFile

BODIES = ".bodies"
_METADATA = ".metadata"


class PackWriter:
    """Appends objects to a pack that begins empty."""

    def __init__(self, bodies: Path) -> None:
        self._bodies = bodies.open("wb")
        self._metadata = bodies.with_suffix(_METADATA).open("wb")

    def add(self, one: MessageObject) -> str:
        """Append an object; the sha256 of its body."""
        self._bodies.write(one.body)
        self._metadata.write(msgspec.json.encode(one.metadata) + b"\n")
        return hashlib.sha256(one.body).hexdigest()

    def close(self) -> None:
        """Write out what is buffered."""
        self._bodies.close()
        self._metadata.close()


@dataclass(frozen=True)
class Packed:
    """An object of a pack: what was sealed, where its body begins, and its line of metadata."""

    file: SealedFile
    offset: int
    line: bytes

    @property
    def metadata(self) -> dict[str, str]:
        """What is put with the body."""
        return msgspec.json.decode(self.line)


class Pack:
    """The objects of a sealed plan's slice, as they lie in the spool; many threads may read."""

    def __init__(self, bodies: BinaryIO, metadata: BinaryIO, files: Sequence[SealedFile]) -> None:
        self._bodies = bodies
        self._metadata = metadata
        self._files = files

    @classmethod
    @contextmanager
    def opened(cls, spool: Spool, files: Sequence[SealedFile]) -> Generator[Self]:
        """Open the pack of some files, all of one plan's slice and in their order.

        Raises DestinationUnavailable if it is not there.
        """
        path = spool.path(files[0].spool)
        try:
            with path.open("rb") as bodies, path.with_suffix(_METADATA).open("rb") as metadata:
                yield cls(bodies, metadata, files)
        except OSError as error:
            raise _unspooled(f"cannot be read ({reason(error)})") from error

    def __iter__(self) -> Iterator[Packed]:
        """The objects in their order, without their bodies."""
        offset = 0
        for file in self._files:
            line = self._metadata.readline()
            if not line:
                raise _unspooled("ends early")
            yield Packed(file, offset, line)
            offset += file.bytes

    def body(self, one: Packed) -> bytes:
        """The body of an object; raises DestinationUnavailable unless it is the one sealed."""
        body = os.pread(self._bodies.fileno(), one.file.bytes, one.offset)
        if hashlib.sha256(body).hexdigest() != one.file.sha256:
            raise _unspooled("is not the one that was sealed")
        return body


def is_whole(spool: Spool, files: Sequence[SealedFile]) -> bool:
    """Whether the pack of some files lies in the spool, unaltered."""
    if not files:
        return True
    try:
        with Pack.opened(spool, files) as pack:
            for one in pack:
                pack.body(one)
    except (CioError, OSError, ValueError):
        return False
    return True


def _unspooled(problem: str) -> DestinationUnavailable:
    return DestinationUnavailable(
        f"The spooled pack of messages {problem}.", "The next run encodes it again."
    )
