"""Keys: the names of objects under a destination's path, and which ones are allowed."""

import re

from cio_pipeline.model.errors import InvalidKey

LONGEST = 1024
"""Bytes of UTF-8; the limit of S3 and Azure."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def check_key(key: str) -> str:
    """The key as it is; raises InvalidKey if a store could refuse, rewrite or misread it (D8)."""
    problem = _problem(key)
    if problem:
        raise InvalidKey(f"{key[:80]!r} is no valid key: it {problem}.", "Give it a plain path.")
    return key


def _problem(key: str) -> str | None:
    parts = key.split("/")
    rules = (
        (not key, "is empty"),
        ("" in parts, "has a leading, trailing or double slash"),
        ("." in parts or ".." in parts, "has a '.' or '..' in it"),
        (_CONTROL.search(key) is not None, "has a control character in it"),
        ("\\" in key, "has a backslash in it"),
        (len(key.encode(errors="replace")) > LONGEST, f"has more than {LONGEST} bytes"),
    )
    return next((text for broken, text in rules if broken), None)
