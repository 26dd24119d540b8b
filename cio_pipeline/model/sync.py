"""A sync: one workspace's flow to one destination, as written in the sync file (D11).

Only the shape is checked here; what needs the contracts or the other syncs is checked where a
sync file is applied.
"""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cio_pipeline.model.windows import Cadence, Feed


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def checked_path(path: str) -> str:
    """A destination's path, as it is, if no store could read it in another way (D8).

    Raises ValueError; the path itself is not repeated, since people paste URLs with secrets.
    """
    if path and (path.startswith("/") or "//" in path or path.endswith("/")):
        raise ValueError("the path has a leading, trailing or double slash; write it without")
    if any(part in {".", ".."} for part in path.split("/")):
        raise ValueError("the path has a '.' or '..' in it; write it plainly")
    if re.search(r"[\x00-\x1f\x7f\\]", path):
        raise ValueError("the path has a control character or a backslash in it")
    return path


class LocalDestination(_Strict):
    """A folder on this machine; relative paths are relative to the working directory."""

    type: Literal["local"]
    path: Annotated[str, Field(min_length=1, description="Folder that receives the files.")]

    @field_validator("path")
    @classmethod
    def _clean(cls, path: str) -> str:
        checked_path(path.removeprefix("/"))
        return path


class Sync(_Strict):
    """One entry of the sync file; defaults are those of D11."""

    id: Annotated[
        str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$", description="Unique name.")
    ]
    workspace_id: Annotated[
        int, Field(strict=True, ge=1, lt=2**63, description="Whose rows are sent.")
    ]
    feed: Annotated[Feed, Field(description="Kind of feed.")] = Feed.DATA_OUT
    version: Annotated[Literal[4, 5], Field(description="Contract version.")] = 5
    exports: Annotated[
        Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)],
        Field(description="`all`, or the names of the exports to send."),
    ] = "all"
    cadence: Annotated[Cadence, Field(description="How often it is served.")] = Cadence.QUARTER_HOUR
    owner: Annotated[str | None, Field(description="Who is named when something is wrong.")] = None
    layout: Annotated[Literal["flat"], Field(description="Where files lie.")] = "flat"
    timestamp_unit: Annotated[
        Literal["us", "ms"], Field(description="Resolution of Parquet timestamps.")
    ] = "us"
    stems: Annotated[
        dict[str, Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]],
        Field(description="File stems that differ from the contract's, by export."),
    ] = {}
    files_expire_after: Annotated[
        str | None,
        Field(
            pattern=r"^[1-9][0-9]{0,4}d$",
            description="Days after which readers may have deleted files, like `30d`.",
        ),
    ] = None
    manifest: Annotated[bool, Field(description="Write the manifests into the bucket.")] = True
    destination: LocalDestination

    @property
    def expire_days(self) -> int | None:
        """`files_expire_after` as a number of days."""
        return int(self.files_expire_after[:-1]) if self.files_expire_after else None
