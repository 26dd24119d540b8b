"""Spellings of event names (O2, C2)."""

import re

_NOT_A_WORD = re.compile(r"[\W_]+")


def slug(name: str) -> str:
    """A name in lower case, its words joined by `_`; equal for `Checkout Started` and its like."""
    return _NOT_A_WORD.sub("_", name).strip("_").lower()


def words(name: str) -> str:
    """What names have in common that are spellings of one: their slug, if they have any word."""
    return slug(name) or name
