import pytest

from cio_pipeline.contracts.feeds import exports_of_sync
from cio_pipeline.model.errors import InvalidConfig, UnknownExport
from cio_pipeline.model.feeds import Cadence
from cio_pipeline.pipeline.syncs.sync_file import read_sync_file

MINIMAL = """
syncs:
  - id: beta-local
    workspace_id: 2
    destination: {type: local, path: bucket/beta}
"""


def one(extra: str) -> str:
    return MINIMAL + "".join(f"    {line}\n" for line in extra.splitlines())


def test_d11_defaults() -> None:
    (sync,) = read_sync_file(MINIMAL)
    assert (sync.version, sync.cadence, sync.layout, sync.timestamp_unit) == (
        5,
        Cadence.QUARTER_HOUR,
        "flat",
        "us",
    )
    assert sync.exports == "all"
    assert len(exports_of_sync(sync)) == 15


def test_d11_all_fields() -> None:
    (sync,) = read_sync_file(
        one(
            "version: 4\nexports: [people, metrics]\ncadence: 1h\nowner: data@acme.example\n"
            "timestamp_unit: ms\nstems: {people: persons}\nfiles_expire_after: 30d\nmanifest: off"
        )
    )
    assert exports_of_sync(sync) == ("metrics", "people")
    assert (sync.expire_days, sync.manifest, sync.stems) == (30, False, {"people": "persons"})


def test_d1_exports_that_come_together_are_added() -> None:
    (sync,) = read_sync_file(one("exports: [campaigns, object_types]"))
    assert exports_of_sync(sync) == ("campaigns", "actions", "objects", "object_types")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("syncs: [", "no YAML"),
        ("- a", "SyncFile"),
        ("syncs: {}", "syncs"),
        (one("colour: blue"), "beta-local.*colour"),
        (one("version: 3"), "beta-local.*version"),
        (one("cadence: 5m"), "cadence"),
        (one("layout: odd"), "layout"),
        (one("stems: {people: 'Not a stem'}"), "stems"),
        (one("stems: {peeple: x}"), "peeple"),
        (one("stems: {people: deliveries}"), "same file stem"),
        (one("files_expire_after: 0d"), "files_expire_after"),
        (MINIMAL.replace("beta-local", "Beta"), "id"),
        (MINIMAL.replace("workspace_id: 2", "workspace_id: 0"), "workspace_id"),
        (MINIMAL.replace("bucket/beta", "a/../b"), r"\.\."),
        (MINIMAL.replace("bucket/beta", "a//b"), "double slash"),
        (MINIMAL.replace("bucket/beta", "a/"), "trailing"),
        (MINIMAL.replace("type: local", "type: ftp"), "type"),
    ],
)
def test_d11_every_mistake_names_the_sync_and_the_field(text: str, names: str) -> None:
    with pytest.raises(InvalidConfig, match=names if names != "SyncFile" else "not valid"):
        read_sync_file(text)


def test_an_unknown_export_is_named_with_the_closest() -> None:
    with pytest.raises(UnknownExport, match="deliverys") as caught:
        read_sync_file(one("exports: [deliverys]"))
    assert "deliveries" in str(caught.value)


def test_an_export_that_v4_lacks_is_named() -> None:
    with pytest.raises(UnknownExport, match="events"):
        read_sync_file(one("version: 4\nexports: [events]"))


def test_d8_a_pasted_secret_is_not_repeated() -> None:
    with pytest.raises(InvalidConfig) as caught:
        read_sync_file(one("secret_access_key: wJalrXUtnFEMI"))
    assert "wJalrXUtnFEMI" not in str(caught.value)
    assert "secret_access_key" in str(caught.value)


@pytest.mark.parametrize("value", ["yes", "'1'", "1.0", "01x", "[1]"])
def test_d11_a_workspace_id_is_a_plain_number_and_nothing_that_looks_like_one(value: str) -> None:
    with pytest.raises(InvalidConfig, match="workspace_id"):
        read_sync_file(MINIMAL.replace("workspace_id: 2", f"workspace_id: {value}"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (one("workspace_id: 3"), "'workspace_id' stands twice"),
        (one("exports: []"), "exports"),
        ("syncs: []", "syncs"),
        (one("version: 4\nstems: {events: e}"), "events"),
        (one("owner: 2026-13-45"), "cannot be read"),
        (one(f"owner: {'9' * 5000}"), "cannot be read"),
        ("[" * 5000, "cannot be read"),
    ],
)
def test_d11_what_yaml_would_let_pass_is_refused(text: str, names: str) -> None:
    with pytest.raises(InvalidConfig, match=names):
        read_sync_file(text)


def test_d8_a_pasted_url_is_not_repeated() -> None:
    with pytest.raises(InvalidConfig) as caught:
        read_sync_file(MINIMAL.replace("bucket/beta", "'https://x?sig=SECRET//'"))
    assert "SECRET" not in str(caught.value)


def test_d11_each_mistake_is_told_plainly_and_nothing_else() -> None:
    place = "{type: s3, bucket: acme, path: a//b}"
    text = MINIMAL.replace("{type: local, path: bucket/beta}", place) + "    version: 3\n"
    with pytest.raises(InvalidConfig) as caught:
        read_sync_file(text)
    path, version = caught.value.message.splitlines()[1:]
    assert version == "  line 6, sync 'beta-local', version: write 4 or 5"
    told = "the path has a leading, trailing or double slash; write it without"
    assert path == f"  line 5, sync 'beta-local', destination, s3, path: {told}"
    with pytest.raises(InvalidConfig, match=r"syncs: .*at least 1"):
        read_sync_file("syncs: []")
