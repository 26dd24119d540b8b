"""Objects under a destination's path that are no files of a feed."""

from cio_pipeline.model.manifests import FOLDER
from cio_pipeline.model.objects import VALIDATE

JSON = "application/json"
"""The content type of objects that are written in place of others: messages."""


def is_for_everybody(key: str) -> bool:
    """Whether an object is no file of the feed, but must be readable at all times (M3).

    Manifests and `cio-validate` stay in the store's default class, whatever the files lie in.
    """
    return key == VALIDATE or key.startswith(f"{FOLDER}/")
