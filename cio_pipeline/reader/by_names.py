"""A feed whose bucket has no manifest: its files by their names (D5, C1).

That is so with `manifest: off`, and with files that the platform's own data-out wrote.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cio_pipeline.contracts.declare import CURRENT_VERSION
from cio_pipeline.contracts.exports.calls import CALLS
from cio_pipeline.contracts.feeds import exports_of_stems, feed_of
from cio_pipeline.files.call_names import parse_call_name
from cio_pipeline.files.names import check_stems, parse_name
from cio_pipeline.model.errors import InvalidConfig, InvalidKey, NothingDelivered
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import FOLDER, manifest_ordinal
from cio_pipeline.model.objects import ObjectInfo
from cio_pipeline.model.plans import Series
from cio_pipeline.reader.files import FeedFile, in_order

UNPROVEN = (
    "The bucket has no manifest: files are told by their names. It cannot be proven that none is "
    "missing, doubled or altered, that a window is whole, or that nothing of an earlier generation "
    "lies there."
)


_SHOWN = 5
"""So many folders are named."""


@dataclass(frozen=True)
class Named:
    """What names tell: the feed, whose it is (a workspace, or the ids of calls), its files."""

    feed: Feed
    owner: str
    files: list[FeedFile]


_Told = tuple[Feed, str, FeedFile]


def named_files(objects: Iterable[ObjectInfo], stems: Mapping[str, str]) -> Named:
    """The files among some objects; `stems` are those that differ from the contract's, by export.

    Raises NothingDelivered if none is named like a file of a feed, InvalidConfig if there are those
    of several feeds or workspaces, if feeds with manifests lie below, or two exports share a stem.
    """
    check_stems(stems)
    exports = exports_of_stems(stems)
    there = list(objects)
    _require_its_folder(there)
    told = [found for one in there if (found := _told(one, exports))]
    owners = {(feed, owner) for feed, owner, _ in told}
    if not owners:
        raise NothingDelivered(
            "There is no manifest, and nothing that is named like a file of a feed.",
            "Correct the path, or wait for the first delivery. Messages need their manifests.",
        )
    if len(owners) > 1:
        found = " and ".join(sorted(owner for _, owner in owners))
        raise InvalidConfig(
            f"Files of several feeds lie there: {found}.", "Give each feed a path of its own."
        )
    ((feed, owner),) = owners
    return Named(feed, owner, in_order(file for _, _, file in told))


def _require_its_folder(objects: Iterable[ObjectInfo]) -> None:
    """Raise InvalidConfig if feeds with manifests lie below: names would tell more than is sent."""
    folders = {
        folder
        for one in objects
        for folder, sign, name in [one.key.rpartition(f"/{FOLDER}/")]
        if sign and manifest_ordinal(f"{FOLDER}/{name}")
    }
    if folders:
        shown = ", ".join(sorted(folders)[:_SHOWN]) + ", …" * (len(folders) > _SHOWN)
        raise InvalidConfig(
            f"Feeds lie below: {shown}.", "Name the folder of one: the one that holds `_cio/`."
        )


def _told(found: ObjectInfo, exports: Mapping[str, str]) -> _Told | None:
    for tell in (_of_data_out, _of_calls):
        try:
            told = tell(found, exports)
        except InvalidKey:
            continue
        if told is not None:
            return told
    return None


def _of_data_out(found: ObjectInfo, exports: Mapping[str, str]) -> _Told | None:
    name = parse_name(found.key.rpartition("/")[2])
    export = exports.get(name.stem)
    if export is None:
        return None
    file = FeedFile(
        found.key, export, name.version, name.series, name.sequence, name.part, found.size
    )
    return feed_of(export), f"workspace {name.workspace_id}", file


def _of_calls(found: ObjectInfo, _: Mapping[str, str]) -> _Told:
    name = parse_call_name(found.key)
    file = FeedFile(
        found.key, CALLS.name, CURRENT_VERSION, Series.PLAIN, name.position, None, found.size
    )
    return feed_of(CALLS.name), f"calls {name.integration_id}.{name.action_id}", file
