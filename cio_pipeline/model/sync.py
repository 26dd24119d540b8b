"""A sync: one workspace's flow to one destination, as written in the sync file (D11).

Only the shape is checked here; what needs the contracts or the other syncs is checked where a
sync file is applied.
"""

from typing import Annotated, Literal

from pydantic import Field

from cio_pipeline.model.destinations import Place, Strict
from cio_pipeline.model.windows import Cadence, Feed


class Sync(Strict):
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
    layout: Annotated[
        Literal["flat", "dated"],
        Field(
            description="`flat`: all in one folder; `dated`: in `<stem>/dt=YYYY-MM-DD/`, the day "
            "that the window ended (UTC)."
        ),
    ] = "flat"
    timestamp_unit: Annotated[
        Literal["us", "ms"], Field(description="Resolution of Parquet timestamps.")
    ] = "us"
    stems: Annotated[
        dict[str, Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]],
        Field(description="File stems that differ from the contract's, by export."),
    ] = {}  # noqa: RUF012 - pydantic copies it
    files_expire_after: Annotated[
        str | None,
        Field(
            pattern=r"^[1-9][0-9]{0,4}d$",
            description="Days after which readers may have deleted files, like `30d`.",
        ),
    ] = None
    manifest: Annotated[bool, Field(description="Write the manifests into the bucket.")] = True
    destination: Annotated[Place, Field(discriminator="type")]

    @property
    def expire_days(self) -> int | None:
        """`files_expire_after` as a number of days."""
        return int(self.files_expire_after[:-1]) if self.files_expire_after else None
