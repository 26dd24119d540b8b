"""Where the buckets of a history lie, in folders or in a real store's stand-in, seen alike.

A store is looked at and damaged past the product, with clients of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cio_pipeline_tests.azurite import Azurite, Container
from cio_pipeline_tests.destinations.servers import S3Server

ANNOUNCEMENT = "cio-validate"
"""Is written before the files of a run, and part of nothing."""

PATH = "customerio/prod"


class Store(Protocol):
    """A bucket for each sync. Keys are relative to the sync's path."""

    def place(self, sync_id: str) -> dict[str, Any]:
        """The destination of a new sync, as its file would name it."""
        ...

    def stamps(self, sync_id: str) -> Mapping[str, object]:
        """Every object of a sync, with what is another once it was written again."""
        ...

    def read(self, sync_id: str, key: str) -> bytes:
        """An object's bytes."""
        ...

    def write(self, sync_id: str, key: str, body: bytes) -> None:
        """Alter an object."""
        ...

    def delete(self, sync_id: str, key: str) -> None:
        """Lose an object."""
        ...


@dataclass(frozen=True)
class Folders:
    """Folders on this machine."""

    root: Path

    def place(self, sync_id: str) -> dict[str, Any]:
        return {"type": "local", "path": f"bucket/{sync_id}"}

    def _path(self, sync_id: str, key: str = "") -> Path:
        return self.root / "bucket" / sync_id / key

    def stamps(self, sync_id: str) -> Mapping[str, object]:
        folder = self._path(sync_id)
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}

    def read(self, sync_id: str, key: str) -> bytes:
        return self._path(sync_id, key).read_bytes()

    def write(self, sync_id: str, key: str, body: bytes) -> None:
        self._path(sync_id, key).parent.mkdir(parents=True, exist_ok=True)
        self._path(sync_id, key).write_bytes(body)

    def delete(self, sync_id: str, key: str) -> None:
        self._path(sync_id, key).unlink()


@dataclass
class OnS3:
    """Buckets of a moto server."""

    server: S3Server
    buckets: dict[str, str] = field(default_factory=dict[str, str])

    def place(self, sync_id: str) -> dict[str, Any]:
        self.buckets[sync_id] = self.server.bucket()
        return self.server.options(self.buckets[sync_id]).model_dump(mode="json")

    def stamps(self, sync_id: str) -> Mapping[str, object]:
        pages = self.server.admin.get_paginator("list_objects_v2")
        return {
            one["Key"].removeprefix(f"{PATH}/"): (one["ETag"], one["LastModified"])
            for page in pages.paginate(Bucket=self.buckets[sync_id])
            for one in page.get("Contents", [])
            if not one["Key"].endswith(ANNOUNCEMENT)
        }

    def _at(self, sync_id: str, key: str) -> dict[str, str]:
        return {"Bucket": self.buckets[sync_id], "Key": f"{PATH}/{key}"}

    def read(self, sync_id: str, key: str) -> bytes:
        return self.server.admin.get_object(**self._at(sync_id, key))["Body"].read()

    def write(self, sync_id: str, key: str, body: bytes) -> None:
        self.server.admin.put_object(**self._at(sync_id, key), Body=body)

    def delete(self, sync_id: str, key: str) -> None:
        self.server.admin.delete_object(**self._at(sync_id, key))


@dataclass
class OnAzure:
    """Containers of an Azurite; `setenv` puts a SAS URL into the environment."""

    server: Azurite
    setenv: Callable[[str, str], None]
    containers: dict[str, Container] = field(default_factory=dict[str, Container])

    def place(self, sync_id: str) -> dict[str, Any]:
        container = self.containers[sync_id] = self.server.new_container()
        name = container.name.upper().replace("-", "_")
        # Purge and restore remove objects too.
        self.setenv(name, container.sas_url("racwld"))
        return {"type": "azure", "sas_url": f"env:{name}", "path": PATH}

    def stamps(self, sync_id: str) -> Mapping[str, object]:
        with self.containers[sync_id].client() as client:
            found = list(client.list_blobs())
        return {one.name.removeprefix(f"{PATH}/"): one.etag for one in found}

    def read(self, sync_id: str, key: str) -> bytes:
        with self.containers[sync_id].client() as client:
            return client.download_blob(f"{PATH}/{key}").readall()

    def write(self, sync_id: str, key: str, body: bytes) -> None:
        with self.containers[sync_id].client() as client:
            client.upload_blob(f"{PATH}/{key}", body, overwrite=True)

    def delete(self, sync_id: str, key: str) -> None:
        with self.containers[sync_id].client() as client:
            client.delete_blob(f"{PATH}/{key}")
