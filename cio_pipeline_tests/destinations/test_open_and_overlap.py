from pathlib import Path

import pytest

from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.destinations.open import open_destination
from cio_pipeline.destinations.overlap import location
from cio_pipeline.model.destinations import AnyDestination, LocalDestination, S3Destination
from cio_pipeline.model.sync import Sync


def overlaps(one: AnyDestination, other: AnyDestination, base: Path) -> bool:
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


def s3(path: str, **fields: str) -> S3Destination:
    return S3Destination.model_validate(
        {"type": "s3", "bucket": "acme-data", "path": path, **fields}
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (s3("tenant"), s3("tenant"), True),
        (s3("tenant"), s3("tenant/b"), True),
        (s3(""), s3("tenant"), True),
        (s3("tenant"), s3("tenant-b"), False),
        (s3("tenant"), s3("tenant", bucket="acme-other"), False),
        (s3("a", endpoint_url="http://minio:9000"), s3("a"), False),
        (
            s3("a", endpoint_url="http://minio:9000"),
            s3("a", endpoint_url="http://Minio:9000/"),
            True,
        ),
        (s3("a", endpoint_url="https://minio"), s3("a", endpoint_url="https://minio:443"), True),
        (s3("a", endpoint_url="https://minio.x."), s3("a", endpoint_url="https://minio.x"), True),
        (
            s3("a", endpoint_url="http://127.0.0.1:9000"),
            s3("a", endpoint_url="http://localhost:9000"),
            True,
        ),
        (
            s3("a", endpoint_url="http://[::1]:9000"),
            s3("a/b", endpoint_url="http://127.0.0.1:9000"),
            True,
        ),
        (
            s3("a", endpoint_url="http://localhost:9000"),
            s3("a", endpoint_url="http://localhost:9001"),
            False,
        ),
        (s3("a", region="eu-west-1"), s3("a"), True),
        (s3("a", endpoint_url="https://s3.eu-west-1.amazonaws.com"), s3("a"), True),
        (s3("a", endpoint_url="http://minio:99999"), s3("a"), False),
        (s3("a", endpoint_url="http://[::1"), s3("a/b", endpoint_url="http://[::1"), True),
    ],
)
def test_d8_buckets_that_are_equal_or_enclose_one_another(
    one: S3Destination, other: S3Destination, *, expected: bool
) -> None:
    assert overlaps(one, other, Path("/")) is expected
    assert overlaps(other, one, Path("/")) is expected


def test_d8_dots_and_slashes_make_no_difference(tmp_path: Path) -> None:
    # A sync file refuses such paths; here they come from elsewhere.
    odd = LocalDestination.model_construct(type="local", path="./x/../tenant/")
    assert overlaps(odd, local("tenant"), tmp_path)
    assert overlaps(odd, local("tenant/b"), tmp_path)
    assert not overlaps(odd, local("tenants"), tmp_path)
