"""A message's metadata as that of its object: what HTTP headers can carry (M1).

Printable ASCII stays as it is, but for `%`. Everything else is percent-encoded as UTF-8, also
spaces that a header would lose: the first, the last, and each that follows another.
"""

import re
import string
from collections.abc import Mapping
from urllib.parse import quote

LARGEST = 2048
"""Bytes of names and values that S3 takes as an object's metadata."""

_PLAIN = "".join(set(string.punctuation + " ") - {"%"})
_AS_IT_IS = re.compile(r"[!-$&-~]+(?: [!-$&-~]+)*")
"""Nearly all values: nothing of them is encoded."""

_LOST_SPACE = re.compile(r"^ | $|(?<= ) ")


def object_metadata(entries: Mapping[str, str]) -> dict[str, str]:
    """The entries as an object carries them.

    Raises ValueError for half a surrogate pair, which no encoding has, and for more than LARGEST
    bytes; the text names no value.
    """
    found = {name: _encoded(name, value) for name, value in entries.items()}
    size = sum(len(name) + len(value) for name, value in found.items())
    if size > LARGEST:
        raise ValueError(f"the metadata has {size:,} bytes; S3 takes {LARGEST:,}")
    return found


def _encoded(name: str, value: str) -> str:
    if _AS_IT_IS.fullmatch(value):
        return value
    try:
        text = quote(value, safe=_PLAIN)
    except UnicodeEncodeError:
        raise ValueError(f"metadata.{name} has half of a surrogate pair") from None
    return _LOST_SPACE.sub("%20", text)
