"""One workspace with several syncs: the scan is shared, and the encoding where bytes are equal."""

from pathlib import Path

import pytest

from benchmarks.opened import opened_below
from cio_pipeline.files.encode import Encoded
from cio_pipeline.pipeline.feeds import data_out
from cio_pipeline_tests.cost.counting import asked, data_files
from cio_pipeline_tests.pipeline.sliced import digests
from cio_pipeline_tests.world import World, during


def changed(world: World, number: int) -> None:
    for name in ("x", "y"):
        world.commit("people", {"internal_customer_id": f"{name}{number}"}, at=during(number))


def test_two_syncs_of_a_version_are_encoded_once_and_get_equal_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sync("a")
    world.sync("b", stems={"people": "persons"})
    encodes: list[Encoded] = []
    encode = data_out.encode

    def counted(*arguments: object, **named: object) -> Encoded:
        encodes.append(encode(*arguments, **named))  # type: ignore[arg-type]
        return encodes[-1]

    monkeypatch.setattr(data_out, "encode", counted)
    for number in range(2):
        changed(world, number)
        world.run(number, "people")

    assert [len(one.files) for one in encodes] == [1, 1], "initial, then changes"
    assert list(digests(world, "a")) == ["people_v5_1_1.parquet", "people_v5_1_2.parquet"]
    assert list(digests(world, "b")) == ["persons_v5_1_1.parquet", "persons_v5_1_2.parquet"]
    assert [*digests(world, "a").values()] == [*digests(world, "b").values()]


def test_v4_and_v5_of_a_workspace_share_the_scan_of_its_changes(tmp_path: Path) -> None:
    opened: list[set[Path]] = []
    for name, versions in (("one", [5]), ("both", [5, 4])):
        world = World(tmp_path / name)
        for version in versions:
            world.sync(f"v{version}", version=version)
        changed(world, 0)
        world.run(0, "people")
        changed(world, 1)
        with opened_below(Path(world.source_uri)) as found, asked(world) as (effects, services):
            world.run(1, "people", services=services)
        assert effects.reads == ["source.changes"]
        # Not how often: the kernel merges equal events that follow one another.
        opened.append(set(data_files(found)))
        for version in versions:
            assert world.read("people", f"v{version}").height == 4
        world.ledger.close()

    assert len(opened[0]) == len(opened[1]) > 0
