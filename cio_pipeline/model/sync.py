"""A sync: one workspace's flow to one destination, as written in the sync file (D11).

Only the shape is checked here; what needs the contracts or the other syncs is checked where a
sync file is applied.
"""

import hashlib
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, model_validator

from cio_pipeline.model.data_contract import DataContract
from cio_pipeline.model.destinations import AnyDestination, Strict
from cio_pipeline.model.feeds import Cadence, Feed

FileFormat = Literal["csv", "json", "parquet"]
"""How files of calls are written (C3)."""

_MADE = 10**6
"""Made ids have up to so many values: two destinations never share files, so they may meet."""

_DAYS = r"^[1-9][0-9]{0,4}d$"

_Number = Annotated[int, Field(strict=True, ge=1, lt=2**63)]


def _or_a_file(schema: dict[str, Any]) -> None:
    """In a sync file it may be named, too: what it says is taken in as the file is read."""
    schema["anyOf"] = [{"type": "string"}, *schema["anyOf"]]


class Sync(Strict):
    """One entry of the sync file; defaults are those of D11."""

    id: Annotated[
        str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$", description="Unique name.")
    ]
    workspace_id: Annotated[
        int, Field(strict=True, ge=1, lt=2**63, description="Whose rows are sent.")
    ]
    feed: Annotated[Feed, Field(description="Kind of feed.")] = Feed.DATA_OUT
    version: Annotated[Literal[4, 5], Field(description="Data-out: contract version.")] = 5
    exports: Annotated[
        Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)],
        Field(description="Data-out: `all`, or the names of the exports to send."),
    ] = "all"
    cadence: Annotated[
        Cadence, Field(description="How often it is served; calls: `10m` (default), `1h`, `1d`.")
    ] = Cadence.QUARTER_HOUR
    owner: Annotated[str | None, Field(description="Who is named when something is wrong.")] = None
    layout: Annotated[
        Literal["flat", "dated"],
        Field(
            description="Data-out: `flat`: all in one folder; `dated`: in "
            "`<stem>/dt=YYYY-MM-DD/`, the day that the window ended (UTC)."
        ),
    ] = "flat"
    timestamp_unit: Annotated[
        Literal["us", "ms"], Field(description="Resolution of Parquet timestamps.")
    ] = "us"
    stems: Annotated[
        dict[str, Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]],
        Field(description="Data-out: file stems that differ from the contract's, by export."),
    ] = {}  # noqa: RUF012 - pydantic copies it
    format: Annotated[
        FileFormat | None, Field(description="Calls: format of the files; default `json`.")
    ] = None
    integration_id: Annotated[
        _Number | None,
        Field(description="Calls: first number of file names; else one made from the sync's id."),
    ] = None
    action_id: Annotated[
        _Number | None,
        Field(description="Calls: second number of file names; else one made from the sync's id."),
    ] = None
    write_empty: Annotated[
        bool, Field(description="Calls: write a file for every type, also without calls.")
    ] = False
    key_template: Annotated[
        str | None,
        Field(min_length=1, description="Messages: JMESPath template of an object's key."),
    ] = None
    files_expire_after: Annotated[
        str | None,
        Field(
            pattern=_DAYS,
            description="Days after which readers may have deleted files, like `30d`.",
        ),
    ] = None
    expire_delivered_after: Annotated[
        str | None,
        Field(
            pattern=_DAYS,
            description="Days after which delivered files are deleted, like `90d`; manifests stay.",
        ),
    ] = None
    expire_acknowledged_after: Annotated[
        str | None,
        Field(
            pattern=_DAYS,
            description="Days after which files are deleted that the reader has acknowledged.",
        ),
    ] = None
    acknowledge_within: Annotated[
        str | None,
        Field(
            pattern=_DAYS,
            description="Days within which the reader acknowledges manifests; else it is told.",
        ),
    ] = None
    manifest: Annotated[bool, Field(description="Write the manifests into the bucket.")] = True
    contract: Annotated[
        DataContract | None,
        Field(
            description="A data contract, or the file that holds it.",
            json_schema_extra=_or_a_file,
        ),
    ] = None
    destination: Annotated[AnyDestination, Field(discriminator="type")]

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_feed(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        fields = cast("dict[str, Any]", given)
        feed = next((one for one in Feed if one == fields.get("feed")), None)
        return {**feed.facts.defaults, **fields} if feed else fields

    @model_validator(mode="after")
    def _acknowledged(self) -> Self:
        for name in ("expire_acknowledged_after", "acknowledge_within"):
            if getattr(self, name) and not self.manifest:
                raise ValueError(f"{name} needs manifests in the bucket: leave out manifest: off")
        return self

    @model_validator(mode="after")
    def _options_of_feed(self) -> Self:
        for name in self._of_others():
            if getattr(self, name) != type(self).model_fields[name].default:
                of = " and ".join(feed for feed in Feed if name in feed.facts.options)
                raise ValueError(f"{name} is an option of {of}, not of {self.feed}; leave it out")
        if self.cadence not in self.feed.cadences:
            raise ValueError(
                f"{self.feed} is served every {', '.join(self.feed.cadences)}, not {self.cadence}"
            )
        return self

    def _of_others(self) -> list[str]:
        """The options that only other feeds have."""
        special = frozenset[str]().union(*(feed.facts.options for feed in Feed))
        return [
            name for name in type(self).model_fields if name in special - self.feed.facts.options
        ]

    @property
    def file_ids(self) -> tuple[int, int]:
        """Integration id and action id in names of calls (C1): those given, else the sync's own.

        Made from the sync's id, they stay the same when a lost ledger is rebuilt.
        """
        made = hashlib.sha256(self.id.encode()).digest()
        first, second = (int.from_bytes(made[at : at + 4]) % _MADE + 1 for at in (0, 4))
        return self.integration_id or first, self.action_id or second

    @property
    def told(self) -> dict[str, Any]:
        """For people: the options that are set and that its feed has, file ids as they are used."""
        given = self.model_dump(mode="json", exclude_none=True)
        made = dict(zip(("integration_id", "action_id"), self.file_ids, strict=True))
        own = {n: value for n, value in (given | made).items() if n not in self._of_others()}
        # Ids are no quantities: as text they are shown without thousands separators.
        shown = {name: str(v) if name.endswith("_id") else v for name, v in own.items()}
        return shown | ({"contract": [*self.contract.exports]} if self.contract else {})

    @property
    def expire_days(self) -> int | None:
        """After how many days a file may be gone: its reader may delete it, or it is deleted."""
        told = (self.files_expire_after, self.expire_delivered_after)
        return min((days(one) for one in told if one), default=None)


def days(told: str) -> int:
    """`30d` as a number of days."""
    return int(told[:-1])
