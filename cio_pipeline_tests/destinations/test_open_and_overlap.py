from pathlib import Path

import pytest

from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.destinations.open import open_destination
from cio_pipeline.destinations.overlap import location
from cio_pipeline.model.destinations import LocalDestination
from cio_pipeline.model.sync import Sync


def overlaps(one: LocalDestination, other: LocalDestination, base: Path) -> bool:
    first, second = (location(destination, base) for destination in (one, other))
    shared = min(len(first), len(second))
    return first[:shared] == second[:shared]


def local(path: str) -> LocalDestination:
    return LocalDestination(type="local", path=path)


@pytest.mark.parametrize(
    ("path", "root"), [(".cio/bucket/a", "/base/.cio/bucket/a"), ("/data/a", "/data/a")]
)
def test_relative_paths_start_at_the_base(path: str, root: str) -> None:
    sync = Sync(id="a", workspace_id=1, destination=local(path))
    found = open_destination(sync, Path("/base"))
    assert isinstance(found, LocalFolder)
    assert found.root == Path(root)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("tenant", "tenant", True),
        ("tenant", "tenant/b", True),
        ("tenant/b/c", "tenant", True),
        ("tenant", "tenant-b", False),
        ("tenant/a", "tenant/b", False),
        ("link", "real", True),
        ("link/b", "real", True),
        ("link", "other", False),
        ("{base}/tenant", "tenant", True),
    ],
)
def test_d8_destinations_that_are_equal_or_enclose_one_another(
    tmp_path: Path, one: str, other: str, *, expected: bool
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    first, second = (local(path.format(base=tmp_path)) for path in (one, other))
    assert overlaps(first, second, tmp_path) is expected
    assert overlaps(second, first, tmp_path) is expected


def test_d8_dots_and_slashes_make_no_difference(tmp_path: Path) -> None:
    # A sync file refuses such paths; here they come from elsewhere.
    odd = LocalDestination.model_construct(type="local", path="./x/../tenant/")
    assert overlaps(odd, local("tenant"), tmp_path)
    assert overlaps(odd, local("tenant/b"), tmp_path)
    assert not overlaps(odd, local("tenants"), tmp_path)
