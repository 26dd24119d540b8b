"""Trying out what a SAS allows, without leaving a trace (D8).

Each right is tried on a blob that is not there: who has it is told "not found", who lacks it
"forbidden". Azure lets `write` do what `add` and `create` do; whether a SAS grants those two by
name is known only if it says so itself.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from azure.core import MatchConditions

from cio_pipeline.destinations.answers import Taken
from cio_pipeline.destinations.azure_control import container_client, once
from cio_pipeline.destinations.azure_errors import BlobRequest, named_errors
from cio_pipeline.destinations.azure_sas import Sas, expired
from cio_pipeline.destinations.patience import Patience
from cio_pipeline.destinations.probe import lacking, tried
from cio_pipeline.model.errors import CioError, ObjectMissing, PermissionMissing
from cio_pipeline.model.objects import Permission
from cio_pipeline.model.times import Clock

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContainerClient

SOON = timedelta(days=30)
"""A SAS that ends earlier than this is warned of."""

_Options = Mapping[str, Any]


def _read(blob: "BlobClient", options: _Options) -> object:
    return blob.get_blob_properties(**options)


def _write(blob: "BlobClient", options: _Options) -> object:
    return blob.set_blob_metadata({}, **options)


def _add(blob: "BlobClient", options: _Options) -> object:
    return blob.append_block(b"-", **options)


def _create(blob: "BlobClient", options: _Options) -> object:
    """A blob in place of one that cannot be there: none has this tag."""
    condition = MatchConditions.IfNotModified
    return blob.upload_blob(b"", overwrite=True, etag='"0x0"', match_condition=condition, **options)


def _delete(blob: "BlobClient", options: _Options) -> object:
    return blob.delete_blob(**options)


@dataclass(frozen=True)
class _Trial:
    needed_for: str
    needed_by: Literal["all", "files", "none"]
    call: Callable[["BlobClient", _Options], object]


_TRIALS: Mapping[str, _Trial] = {
    "read": _Trial("verify, restore, runs after a crash", "files", _read),
    "add": _Trial("asked for by seed 004", "none", _add),
    "create": _Trial("every file", "files", _create),
    "write": _Trial("large files, messages", "all", _write),
    "delete": _Trial("purge", "none", _delete),
}


@dataclass(frozen=True)
class Rights:
    """What a SAS allows below a path."""

    sas: Sas
    path: str
    patience: Patience
    now: Clock

    def all(self) -> Sequence[Permission]:
        """Each right that a sync needs, when the SAS ends, and what lies under the path.

        One line if nothing can be told, since the container cannot be reached with this SAS.
        """
        name = "/".join(filter(None, (self.path, f"cio-validate-{uuid.uuid4().hex}")))
        with container_client(self.sas) as container:
            try:
                there = self._first_below(container)
                listed = Permission("list", granted=True, needed_for="verify, manifests")
            except PermissionMissing as error:
                there = None
                listed = lacking("list", "verify, manifests", error)
            except CioError as error:
                return (lacking("reach the container", "everything", error, "all"),)
            blob = container.get_blob_client(name)
            trials = [self._tried(blob, right) for right in _TRIALS]
        return (*trials[:-1], listed, trials[-1], self._expiry(self.now()), _folder(there))

    def _first_below(self, container: "ContainerClient") -> bool:
        """Whether anything lies under the path."""
        folder = f"{self.path}/" if self.path else None
        with named_errors(BlobRequest("list", "list"), self.sas, self.now):
            found = container.list_blobs(
                name_starts_with=folder, results_per_page=1, **once(self.patience)
            )
            return next(iter(found), None) is not None

    def _tried(self, blob: "BlobClient", right: str) -> Permission:
        trial = _TRIALS[right]

        def work() -> None:
            try:
                request = BlobRequest(right, right, blob.blob_name, creates=True)
                with named_errors(request, self.sas, self.now):
                    trial.call(blob, once(self.patience))
            except (ObjectMissing, Taken):
                return

        return self._as_named(tried(right, trial.needed_for, work, trial.needed_by))

    def _as_named(self, found: Permission) -> Permission:
        """What was tried, held against what the SAS says of itself."""
        if not found.granted or found.name not in {"add", "create"}:
            return found
        if self.sas.permissions is None:
            return replace(found, detail="by its own name, or as a part of 'write'")
        if found.name[0] in self.sas.permissions:
            return found
        return replace(
            found,
            granted=False,
            needed_by="none",
            detail=f"The SAS does not name '{found.name}', though its 'write' does the same today.",
            next_step=f"Generate a SAS with the right '{found.name}', too.",
        )

    def _expiry(self, now: datetime) -> Permission:
        name, needed_for, ends = "SAS expiry", "every run", self.sas.expires
        if ends is None:
            return Permission(
                name,
                granted=None,
                needed_for=needed_for,
                needed_by="all",
                detail=f"The stored access policy '{self.sas.policy}' holds it.",
                next_step="Look at the policy in Azure: a SAS cannot read it.",
            )
        if now >= ends:
            return lacking(name, needed_for, expired(ends), "all")
        left = (ends - now).days
        renew = "Generate a new SAS URL in time, better on a stored access policy."
        return Permission(
            name,
            granted=True,
            needed_for=needed_for,
            needed_by="all",
            detail=f"In {left} days, on {ends:%Y-%m-%d}.",
            next_step=renew if ends - now < SOON else "",
        )


def _folder(there: bool | None) -> Permission:  # noqa: FBT001 - what was found, no switch
    detail = {
        True: "Files lie there already.",
        False: "Nothing lies there yet; the first file makes it.",
        None: "What lies there cannot be listed.",
    }
    granted = None if there is None else True
    return Permission("blob path", granted, "every file", detail[there], needed_by="none")
