"""A sync's place in a store."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from cio_pipeline.model.sync import Sync


@dataclass(frozen=True)
class ObjectInfo:
    """An object as listed: key under the destination's path, and size in bytes."""

    key: str
    size: int


@dataclass(frozen=True)
class Permission:
    """What came of trying a permission: `granted` is None if it could not be told.

    `needed_for` is what a sync uses it for; `next_step` says how to mend it, if it is missing.
    `needed_by` is `all` feeds, those that deliver `files` and look at them again, or `none`: then
    it is recommended, or of use to a verb like purge.
    """

    name: str
    granted: bool | None
    needed_for: str
    detail: str = ""
    next_step: str = ""
    needed_by: Literal["all", "files", "none"] = "files"


class Destination(Protocol):
    """A sync's place in a store. Keys are relative to its path and are checked here.

    Every method raises typed errors only (model.errors) with secrets scrubbed.
    """

    def put(self, key: str, file: Path, sha256: str) -> None:
        """Create an object from a file, never overwriting.

        An object that is already there with the same bytes counts as success; any other raises
        ObjectConflict.
        """
        ...

    def put_bytes(self, key: str, body: bytes) -> None:
        """The same for a small body."""
        ...

    def get(self, key: str) -> bytes:
        """A small object's bytes; raises ObjectMissing."""
        ...

    def download(self, key: str, to: Path) -> None:
        """Copy an object into a local file, streamed; raises ObjectMissing."""
        ...

    def sha256(self, key: str) -> str:
        """The digest of an object's bytes, streamed; raises ObjectMissing."""
        ...

    def list(self, prefix: str = "") -> Iterable[ObjectInfo]:
        """All objects below a folder prefix, in key order."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there counts as success."""
        ...

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Write a small JSON object with metadata, in place of what lies there (M1, M4).

        Metadata names are those of S3; a store that cannot hold one adapts it.
        """
        ...

    def announce(self) -> None:
        """What a store wants written before the first file of a sync's run (`cio-validate`)."""
        ...

    def permissions(self) -> Sequence["Permission"]:
        """Each permission that a sync needs, tried out and left as it was found.

        Never raises: what cannot be tried has its error as `detail`.
        """
        ...

    def describe(self) -> str:
        """Where this is, for people: no secrets."""
        ...


Destinations: TypeAlias = Callable[[Sync], Destination]
"""Opens a sync's destination."""
