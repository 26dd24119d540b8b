"""Keys: the names of objects under a destination's path, refused unless they are clean."""

from cio_pipeline.files.keys import key_problem
from cio_pipeline.model.errors import InvalidKey
from cio_pipeline.model.manifests import FOLDER

VALIDATE = "cio-validate"
"""Key of the empty object that tells that a sync may write (seed 001)."""

JSON = "application/json"
"""The content type of objects that are written in place of others: messages."""


def check_key(key: str) -> str:
    """The key as it is; raises InvalidKey if a store could refuse, rewrite or misread it (D8)."""
    problem = key_problem(key)
    if problem:
        raise InvalidKey(f"{key[:80]!r} is no valid key: it {problem}.", "Give it a plain path.")
    return key


def is_for_everybody(key: str) -> bool:
    """Whether an object is no file of the feed, but must be readable at all times (M3).

    Manifests and `cio-validate` stay in the store's default class, whatever the files lie in.
    """
    return key == VALIDATE or key.startswith(f"{FOLDER}/")
