"""Keys: the names of objects under a destination's path, refused unless they are clean."""

from cio_pipeline.files.keys import key_problem
from cio_pipeline.model.errors import InvalidKey

JSON = "application/json"
"""The content type of objects that are written in place of others: messages."""


def check_key(key: str) -> str:
    """The key as it is; raises InvalidKey if a store could refuse, rewrite or misread it (D8)."""
    problem = key_problem(key)
    if problem:
        raise InvalidKey(f"{key[:80]!r} is no valid key: it {problem}.", "Give it a plain path.")
    return key
