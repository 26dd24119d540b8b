"""D10: a verification goes on from the last manifest that it proved, and counts what it fetches."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.recovery.bucket_chain import read_chain
from cio_pipeline.verification.proven import Proven
from cio_pipeline.verification.report import ProblemKind, VerifyReport
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket, named


class Counting:
    """A destination whose fetches are counted."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.fetched = Counter[str]()

    def __getattr__(self, name: str) -> Any:
        if name in {"get", "download", "sha256"}:
            self.fetched[name] += 1
        return getattr(self._inner, name)


@pytest.fixture
def proven(tmp_path: Path) -> Proven:
    return Proven(tmp_path / "proven" / "acme.gz")


def verified(bucket: Bucket, proven: Proven) -> tuple[VerifyReport, dict[str, int]]:
    destination: Any = Counting(bucket.folder)
    report = verify(destination, proven=proven)
    return report, dict(destination.fetched)


def test_d10_what_was_proven_is_fetched_once(bucket: Bucket, proven: Proven) -> None:
    report, fetched = verified(bucket, proven)
    assert fetched == {"get": 3, "download": 8}
    assert report == verify(bucket.folder)

    again, fetched = verified(bucket, proven)
    assert fetched == {"get": 1}, "the last manifest proves the others by its hash"
    assert (again.complete_up_to, again.proven_before, again.files) == (3, 3, 8)

    bucket.commit(bucket.file("people", 5))
    onwards, fetched = verified(bucket, proven)
    assert onwards.ok
    assert fetched == {"get": 2, "download": 1}
    assert (onwards.complete_up_to, onwards.proven_before, onwards.files) == (4, 3, 9)
    assert verified(bucket, proven)[1] == {"get": 1}

    proven.forget()
    assert verified(bucket, proven)[1] == {"get": 4, "download": 9}


def _other_bytes(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (Path.unlink, ProblemKind.MISSING),
        (lambda path: path.write_bytes(b"x"), ProblemKind.ALTERED),
    ],
)
def test_d10_names_and_sizes_of_what_was_proven_are_looked_at(
    bucket: Bucket, proven: Proven, damage: Callable[[Path], object], kind: ProblemKind
) -> None:
    verified(bucket, proven)
    damage(bucket.root / PEOPLE_2)
    report, _ = verified(bucket, proven)
    assert named(report) == [(kind, PEOPLE_2)]


def test_d10_a_file_that_was_not_whole_is_read_again(bucket: Bucket, proven: Proven) -> None:
    body = (bucket.root / PEOPLE_2).read_bytes()
    _other_bytes(bucket.root / PEOPLE_2)
    assert verified(bucket, proven)[0].complete_up_to == 1
    (bucket.root / PEOPLE_2).write_bytes(body)
    report, fetched = verified(bucket, proven)
    assert report.ok
    assert (report.proven_before, fetched["get"]) == (1, 3)


def test_d10_another_chain_is_read_from_its_start(bucket: Bucket, proven: Proven) -> None:
    verified(bucket, proven)
    bucket.rewrite(3, sync_id="beta")
    report, fetched = verified(bucket, proven)
    assert (ProblemKind.MANIFEST_BROKEN, manifest_key(3)) in named(report)
    assert (report.proven_before, fetched) == (0, {"get": 4, "download": 8})


@pytest.mark.parametrize("ordinal", [1, 2, 3])
def test_d10_a_manifest_that_is_gone_is_named(bucket: Bucket, proven: Proven, ordinal: int) -> None:
    verified(bucket, proven)
    bucket.folder.delete(manifest_key(ordinal))
    expected = named(verify(bucket.folder))
    assert named(verified(bucket, proven)[0]) == expected


@pytest.mark.parametrize("ordinal", [1, 2, 3])
def test_d10_a_proven_manifest_of_another_size_is_named(
    bucket: Bucket, proven: Proven, ordinal: int
) -> None:
    verified(bucket, proven)
    path = bucket.root / manifest_key(ordinal)
    path.write_bytes(path.read_bytes()[:-2])
    expected = named(verify(bucket.folder))
    assert expected
    assert named(verified(bucket, proven)[0]) == expected


def test_d10_whatever_byte_of_what_was_proven_is_damaged_all_is_read_again(
    bucket: Bucket, proven: Proven
) -> None:
    """Not only what a crash tears: a disk gives other bytes, two verifications write at once."""
    verified(bucket, proven)
    body, known = proven.path.read_bytes(), proven.bodies()
    for at in range(10, len(body), 7):
        proven.path.write_bytes(body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :])
        assert proven.bodies() in ({}, known)


@pytest.mark.parametrize("torn", [b"", b"x", None])
def test_d10_a_torn_file_of_what_was_proven_is_as_good_as_none(
    bucket: Bucket, proven: Proven, torn: bytes | None
) -> None:
    verified(bucket, proven)
    body = proven.path.read_bytes()
    proven.path.write_bytes(body[:-5] if torn is None else torn)
    report, fetched = verified(bucket, proven)
    assert report.ok
    assert fetched["download"] == 8
    assert verified(bucket, proven)[1] == {"get": 1}


def test_d10_a_quick_look_proves_nothing(bucket: Bucket, proven: Proven) -> None:
    verify(bucket.folder, deep=False, proven=proven)
    assert not proven.path.exists()


def test_d10_the_command_reads_all_again_from_the_start(
    world_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIO_HOME", str(world_home))
    run = CliRunner()
    assert run.invoke(app, ["verify"]).exit_code == 0
    file = next((world_home / "bucket" / "a").glob("people_v5_1_*.parquet"))
    assert "as proven before" in run.invoke(app, ["verify"]).stdout
    _other_bytes(file)
    assert run.invoke(app, ["verify", "--from-start"]).exit_code == 1
    assert run.invoke(app, ["verify"]).exit_code == 1, "what was found is not forgotten"


@pytest.fixture
def world_home(world: Any) -> Path:
    sync = world.sync()
    path = str(world.folder())
    place = sync.destination.model_copy(update={"path": path})
    world.ledger.registry.put(sync.model_copy(update={"destination": place}), {}, world.now)
    world.run(0, "people")
    world.commit("people", {"internal_customer_id": "p"}, at=world.now)
    world.run(1, "people")
    return world.root


def test_d10_a_file_that_was_rewritten_is_what_the_later_manifest_says(
    bucket: Bucket, proven: Proven
) -> None:
    """It is read again, once, though it was proven as it was before; `rebuild` reads it so too."""
    before, _ = verified(bucket, proven)
    listed = next(file for one in bucket.manifests for file in one.files if file.key == PEOPLE_2)
    rewritten = bucket.erase(listed, listed.rows - 1)
    found, _ = verified(bucket, proven)
    assert named(found) == [(ProblemKind.ALTERED, PEOPLE_2)]

    bucket.commit(superseded=[rewritten])
    after, fetched = verified(bucket, proven)
    assert after.ok
    assert (after.complete_up_to, after.files, after.rows) == (4, before.files, before.rows - 1)
    assert fetched == {"get": 2, "download": 1}
    assert verified(bucket, proven)[1] == {"get": 1}
    assert verify(bucket.folder).ok
    sync = Sync.model_validate(
        {"id": "acme", "workspace_id": 7, "destination": {"type": "local", "path": "b"}}
    )
    files = {
        file.key: file for m, _ in read_chain(bucket.folder, sync).manifests for file in m.files
    }
    assert files[PEOPLE_2].sha256 == rewritten.sha256

    _other_bytes(bucket.root / PEOPLE_2)
    assert named(verify(bucket.folder)) == [(ProblemKind.ALTERED, PEOPLE_2)]
    (bucket.root / PEOPLE_2).unlink()
    assert named(verify(bucket.folder)) == [(ProblemKind.MISSING, PEOPLE_2)]
