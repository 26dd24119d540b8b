"""What verification asks of each feed: how its files are named, what they hold, what lies beside.

How rows become files is in `pipeline/feeds`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import ManifestFile
from cio_pipeline.ports import Destination
from cio_pipeline.verification.files import check_content, check_digest, check_name
from cio_pipeline.verification.of_calls import check_call_name, unlisted_calls
from cio_pipeline.verification.report import Problem
from cio_pipeline.verification.unlisted import (
    BucketContents,
    Judged,
    unlisted_exports,
    unlisted_messages,
)


class CheckName(Protocol):
    """A listed file is named as the feed names files."""

    def __call__(self, file: ManifestFile, workspace_id: int) -> Iterable[Problem]:
        """What differs between a key and what the manifest says of it."""
        ...


class CheckBytes(Protocol):
    """An object is what was listed."""

    def __call__(
        self, destination: Destination, file: ManifestFile, workspace_id: int, copy: Path
    ) -> Iterable[Problem]:
        """What differs between an object and what the manifest says of it.

        `copy` is where it may be read from. Raises ObjectArchived.
        """
        ...


@dataclass(frozen=True)
class Judge:
    """What is asked of a feed's files; `unlisted` judges objects that no manifest lists."""

    check_name: CheckName
    unlisted: Callable[[BucketContents], Iterable[Judged]]
    check_bytes: CheckBytes = check_digest


JUDGES: Mapping[Feed, Judge] = {
    Feed.DATA_OUT: Judge(check_name, unlisted_exports, check_content),
    Feed.CALLS: Judge(check_call_name, unlisted_calls),
    # Any key may be a message's, so none is misnamed.
    Feed.MESSAGES: Judge(lambda file, workspace_id: (), unlisted_messages),  # noqa: ARG005
}
