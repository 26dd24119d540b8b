"""Where a source is: names as they are written, in a folder, on S3 and in Azure storage alike."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.cli.dagster_home import use_dagster_home
from cio_pipeline.cli.demo import own_syncs
from cio_pipeline.model.changeset import CHANGE, CHANGED, NEW
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.syncs.sync_file import read_sync_file
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline.sources.open import open_source
from cio_pipeline.sources.places import file_place, for_deltalake, local_path
from cio_pipeline.sources.status import table_statuses
from cio_pipeline.sources.tables import commit_rows, create_tables
from cio_pipeline_tests.azurite import ACCOUNT, KEY, Azurite
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server
from cio_pipeline_tests.sources.servers import s3_process
from cio_pipeline_tests.sources.things import THINGS, at_version, latest, minute, rows, values_of

NAMES = [
    "plain",
    "my project",
    "a#b",
    "a?b=c",
    "ü/é",
    "workspace_id=9",
    "{x}",
    "50% + 1&2;3",
    "a:b",
]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_process() as server:
        yield server


def goes_on(uri: str, options: Mapping[str, str]) -> None:
    """Make a source there, write to it, and read it in every way."""
    assert create_tables(uri, [THINGS], options) == ["things"]
    assert create_tables(uri, [THINGS], options) == []
    commit_rows(uri, THINGS, rows({"a": "1", "b": "1"}), minute(1), options)
    commit_rows(uri, THINGS, rows({"b": "2", "c": "2"}), minute(2), options)
    found = DeltaSource(uri, options)
    cut = latest(found)
    after = {"a": "1", "b": "2", "c": "2"}
    assert values_of(found.snapshot(THINGS, cut)) == after
    parts = [found.snapshot(THINGS, cut, part) for part in found.slices(THINGS, cut, 1)]
    assert {key: value for part in parts for key, value in values_of(part).items()} == after
    changed = found.changes(THINGS, at_version(found, 1), cut).collect()
    assert dict(changed.select("key", CHANGE).iter_rows()) == {"b": CHANGED, "c": NEW}
    (status,) = table_statuses(uri, [THINGS], options)
    assert (status.rows, status.problems) == (3, ())


@pytest.mark.parametrize("name", NAMES)
def test_a_source_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    goes_on(str(tmp_path / name), {})
    assert (tmp_path / name / "things/_delta_log").is_dir()


def test_a_source_by_a_relative_path_and_by_a_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    goes_on("my #1", {})
    goes_on((tmp_path / "my #2").as_uri(), {})
    assert (tmp_path / "my #2/things").is_dir()


def test_a_source_behind_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real #1").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real #1")
    goes_on(str(tmp_path / "link"), {})


@pytest.mark.parametrize("name", NAMES)
def test_a_source_on_s3_below_any_prefix(s3: S3Server, name: str) -> None:
    bucket = s3.bucket()
    options = {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": s3.url,
        "AWS_ALLOW_HTTP": "true",
    }
    goes_on(f"s3://{bucket}/{name}", options)
    keys = [one["Key"] for one in s3.admin.list_objects_v2(Bucket=bucket)["Contents"]]
    assert all(key.startswith(f"{name}/things/") for key in keys)


@pytest.mark.parametrize("name", NAMES)
def test_a_source_in_azure_storage_below_any_prefix(azurite: Azurite, name: str) -> None:
    container = azurite.new_container()
    options = {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": azurite.url,
        "AZURE_ALLOW_HTTP": "true",
    }
    goes_on(f"abfss://{container.name}@{ACCOUNT}.dfs.core.windows.net/{name}", options)
    blobs = [blob.name for blob in container.client().list_blobs()]
    assert all(blob.startswith(f"{name}/things/") for blob in blobs)


@pytest.mark.parametrize("name", ["ü%20x", "a%2Fb", "a\\b", "a\nb"])
def test_places_that_deltalake_takes_for_others_are_refused_before_anything_is_made(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be read and written elsewhere; the refusal says which part, and what to do."""
    for act in (
        lambda: create_tables(str(tmp_path / name / "source"), [THINGS]),
        lambda: open_source(f"delta:{tmp_path / name}").tables,
        lambda: DeltaSource(f"{(tmp_path / name).as_uri()}").tables,
    ):
        with pytest.raises(InvalidConfig, match=r"in its path.*Rename that folder.*CIO_HOME"):
            act()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("CIO_HOME", str(tmp_path / name))
    told = CliRunner().invoke(app, ["demo", "--size", "tiny"])
    assert told.exit_code == 1
    assert "for something else" in str(told.exception) + told.output
    assert not (tmp_path / name / "source").exists()


def test_encoded_places_in_stores_are_refused() -> None:
    with pytest.raises(InvalidConfig, match="%20"):
        _ = open_source("delta:s3://bucket/a%20b").tables


@pytest.mark.parametrize(
    ("uri", "path", "given"),
    [
        ("/a b#c?d", "/a b#c?d", "/a b#c?d"),
        ("a b", "a b", "a b"),
        ("file:///a%20b#c", "/a b#c", "/a b#c"),
        ("file:/a%20b", "/a b", "/a b"),
        ("s3://b/a b#c", None, "s3://b/a%20b%23c"),
        ("s3://b", None, "s3://b"),
        ("abfss://c@a.dfs.core.windows.net/ü", None, "abfss://c@a.dfs.core.windows.net/%C3%BC"),
    ],
)
def test_places_as_libraries_want_them(uri: str, path: str | None, given: str) -> None:
    assert local_path(uri) == (None if path is None else Path(path))
    assert for_deltalake(uri) == given


@pytest.mark.parametrize(
    ("folder", "named", "place"),
    [
        ("/t #1", "a%20b/p%3D1.parquet", "/t #1/a b/p=1.parquet"),
        ("/t", "p=a%2520b/1.parquet", "/t/p=a%20b/1.parquet"),
        ("/t", "file:/other%20t/1.parquet", "/other t/1.parquet"),
        ("/t", "file:///other/1.parquet", "/other/1.parquet"),
        ("/t", "/other/1.parquet", "/other/1.parquet"),
        ("s3://b/t", "p=c%253Ad/1", "s3://b/t/p=c%3Ad/1"),
        ("s3://b/t", "s3://o/u%20v/1", "s3://o/u v/1"),
        ("s3://b/t", "x:1/2", "s3://b/t/x:1/2"),
    ],
)
def test_files_as_a_log_names_them(folder: str, named: str, place: str) -> None:
    assert file_place(folder, named) == place


SYNC_FILE = """\
syncs:
  - id: a
    workspace_id: 1
    version: 5
    owner: x
    destination: {type: local, path: "buckets #1? %41/a [x]"}
"""


def run(*words: str) -> str:
    done = CliRunner().invoke(app, [*words])
    assert done.exit_code == 0, done.output
    return done.output


def test_everything_goes_on_below_a_home_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Source, ledger, spool and Dagster's runs, as `make demo` has them, and a sync's own path."""
    below = tmp_path / "my project #1 é" / "workspace_id=9"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.setenv("CIO_HOME", ".cio home")
    for name in ("CIO_SOURCE", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    (below / "syncs.yaml").write_text(SYNC_FILE, encoding="utf-8")
    run("demo", "--size", "tiny", "--windows", "1", "--syncs", "syncs.yaml")
    assert "complete up to manifest 2" in run("verify")
    assert list((below / "buckets #1? %41/a [x]").glob("people_v5_1_*.parquet"))


@pytest.mark.parametrize("name", ["a b", "a#b: {c}", "ü'\"%41"])
def test_the_demos_sync_file_names_a_folder_of_any_name(name: str) -> None:
    found = read_sync_file(own_syncs(Path("/", name)))
    assert [getattr(sync.destination, "path", None) for sync in found] == [
        f"/{name}/{sync.id}" for sync in found
    ]


@pytest.mark.parametrize("name", ["a?b", "a%41b"])
def test_a_home_that_dagster_takes_for_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / name))
    with pytest.raises(InvalidConfig, match=r"Dagster cannot.*Set DAGSTER_HOME to another folder"):
        use_dagster_home()
    assert list(tmp_path.iterdir()) == []
