"""Files as earlier builds wrote them, for what those sealed: the same rows, with other bytes.

Until Parquet files got ConvertedTypes (D2), footers were as Polars writes them. A plan that was
sealed then, or a file that was delivered, is finished or restored in the form that it had.
"""

import hashlib
import mmap
from collections.abc import Collection
from dataclasses import replace

from cio_pipeline.files.encode import SpooledFile
from cio_pipeline.files.footers import (
    ending,
    read_footer_bytes,
    without_converted_types,
    write_footer_bytes,
)
from cio_pipeline.files.spool import Spool


def in_sealed_form(spool: Spool, file: SpooledFile, sealed: Collection[str]) -> SpooledFile:
    """A file of the spool; brought into the earlier form if it was sealed so, else as it is.

    `sealed` are the digests of all files that may come out. Raises OSError.
    """
    if file.sha256 in sealed or not file.path.endswith(".parquet"):
        return file
    path = spool.path(file.path)
    place, footer = read_footer_bytes(path)
    earlier = without_converted_types(footer)
    digest = hashlib.sha256()
    with (
        path.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as data,
        memoryview(data) as whole,
        whole[:place] as rows,
    ):
        digest.update(rows)
    digest.update(ending(earlier))
    if digest.hexdigest() not in sealed:
        return file
    write_footer_bytes(path, place, earlier)
    return replace(file, bytes=path.stat().st_size, sha256=digest.hexdigest())
