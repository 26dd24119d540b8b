"""Keys: which names of objects every store takes as they are (D8)."""

import re

LONGEST = 1024
"""Bytes of UTF-8; the limit of S3 and Azure."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def key_problem(key: str) -> str | None:
    """Why a store could refuse, rewrite or misread a key; None if it is clean."""
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


def shown(key: str) -> str:
    """A key for people, whatever is in it: what cannot be printed is escaped."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in key
    )
