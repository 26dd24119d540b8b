"""Files that Polars sinks into: small ones wait in memory until they are whole.

Its threads would make each file, begin to write it out as they close it, and wait for one another
at its folder, and then it would be opened again for its footer: of files of a few KB that takes
longer than to encode them. So these are written once, in one go.
"""

import io
from typing import IO

from cio_pipeline.files.footers import Finish, Measured

SMALL = 64 * 1024
"""Bytes of a file that wait in memory."""


class Growing(io.RawIOBase):
    """A file that is written from its beginning to its end; it is there once it is `finished`."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self._small = io.BytesIO()
        self._file: IO[bytes] | None = None

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: bytes) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take all of it; raises OSError."""
        if self._file is None and self._small.tell() + len(data) > SMALL:
            self._file = self._new_file()
            self._file.write(self._small.getvalue())
            self._small.close()
        return (self._file or self._small).write(data)

    def flush(self) -> None:
        """Close what lies on disk, since Polars asks for this at a file's end, and for no more.

        Else as many would be open as a sink has files: a system allows a process some hundreds.
        """
        if self._file is not None:
            self._file.close()

    def finished(self, finish: Finish) -> Measured:
        """Write what waits, with the footer that it gets; raises OSError."""
        if self._file is not None:
            self._file.close()
            return finish.in_place(self.path)
        pieces, measured = finish.in_memory(self._small.getvalue())
        with self._new_file() as file:
            file.writelines(pieces)
        return measured

    def _new_file(self) -> IO[bytes]:
        return open(self.path, "xb")  # noqa: PTH123 - a text; closed once it is whole
