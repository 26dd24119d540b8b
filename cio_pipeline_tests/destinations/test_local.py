import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.errors import (
    DestinationError,
    DestinationUnavailable,
    InvalidKey,
    ObjectConflict,
    ObjectMissing,
)
from cio_pipeline.ports import Destination
from cio_pipeline_tests.destinations.suite import DestinationSuite, digest


class TestLocalFolder(DestinationSuite):
    @pytest.fixture
    def destination(self, tmp_path: Path) -> Destination:
        return LocalFolder(tmp_path / "made" / "by the first put")

    @pytest.fixture
    def forbidden(self) -> Destination:
        # The kernel's own folder: not even root may make anything in it.
        return LocalFolder(Path("/sys"))

    odd_keys = ("a\nb", "sub/a\x01b", "a\\b", "%2F", "é b", "_cio#1/x")

    def put_foreign(self, destination: Destination, key: str, body: bytes) -> None:
        assert isinstance(destination, LocalFolder)
        path = destination.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def leave_unfinished(self, destination: Destination, key: str) -> None:
        assert isinstance(destination, LocalFolder)
        left = destination.root / f"{key}#1"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"bo")


def test_d10_odd_things_in_a_folder_hide_nothing_in_a_listing(tmp_path: Path) -> None:
    """A name that is no UTF-8, links to nowhere and around in a circle, a pipe."""
    folder = LocalFolder(tmp_path)
    folder.put_bytes("good", b"12345")
    folder.put_bytes("sub/good", b"123")
    (tmp_path / "sub/unfinished#1").write_bytes(b"half")
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"x")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "sub/around").symlink_to(tmp_path / "sub")
    os.mkfifo(tmp_path / "pipe")
    found = [(one.key, one.size) for one in folder.list()]
    assert found == [("\\xff", 1), ("good", 5), ("sub/good", 3)]
    assert [one.key for one in folder.list("sub")] == ["sub/good"]
    (tmp_path / os.fsdecode(b"\xff")).unlink()
    assert [one.key for one in folder.list()] == ["good", "sub/good"]


def test_leftovers_of_killed_puts_are_removed_by_the_next_one(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"a.parquet#{number}").write_bytes(b"bo")
    (tmp_path / "b.parquet#1").write_bytes(b"bo")
    LocalFolder(tmp_path).put_bytes("a.parquet", b"body")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.parquet", "b.parquet#1"]


@pytest.fixture
def spooled_file(tmp_path: Path) -> Path:
    file = tmp_path / "spool" / "a.parquet"
    file.parent.mkdir()
    file.write_bytes(b"rows")
    return file


def test_on_one_disk_an_object_is_the_spooled_file_by_another_name(
    tmp_path: Path, spooled_file: Path
) -> None:
    folder = LocalFolder(tmp_path / "bucket")
    folder.put("2026/a.parquet", spooled_file, digest(b"rows"))
    assert (folder.root / "2026" / "a.parquet").samefile(spooled_file)
    spooled_file.unlink()
    assert folder.get("2026/a.parquet") == b"rows"


def test_on_another_disk_an_object_is_a_copy(other_disk: Path, spooled_file: Path) -> None:
    folder = LocalFolder(other_disk / "bucket")
    folder.put("a.parquet", spooled_file, digest(b"rows"))
    assert [p.name for p in folder.root.iterdir()] == ["a.parquet"]
    assert (folder.root / "a.parquet").read_bytes() == b"rows"
    with pytest.raises(DestinationUnavailable, match="not the one that was sealed"):
        folder.put("b.parquet", spooled_file, digest(b"other"))
    assert [p.name for p in folder.root.iterdir()] == ["a.parquet"]


def test_where_the_spool_cannot_be_linked_from_an_object_is_a_copy(
    tmp_path: Path, spooled_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = os.link

    def link(source: Path, target: Path) -> None:
        if source == spooled_file:
            raise OSError(errno.EPERM, "Operation not permitted")
        linked(source, target)

    monkeypatch.setattr(os, "link", link)
    folder = LocalFolder(tmp_path / "bucket")
    folder.put("a.parquet", spooled_file, digest(b"rows"))
    assert [p.name for p in folder.root.iterdir()] == ["a.parquet"]
    assert not (folder.root / "a.parquet").samefile(spooled_file)
    assert folder.get("a.parquet") == b"rows"


def test_nothing_is_made_until_the_first_put(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path / "later")
    assert list(folder.list()) == []
    folder.delete("a")
    with pytest.raises(ObjectMissing):
        folder.get("a")
    assert not (tmp_path / "later").exists()


def test_a_root_that_is_a_file_is_named(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_bytes(b"")
    folder = LocalFolder(root)
    for use in (
        lambda: folder.put_bytes("a", b""),
        lambda: folder.get("a"),
        lambda: folder.delete("a"),
        lambda: list(folder.list()),
        lambda: LocalFolder(root / "below").put_bytes("a", b""),
    ):
        with pytest.raises(DestinationError) as caught:
            use()
        assert str(tmp_path) not in str(caught.value)
        assert caught.value.next_step


def test_a_file_where_a_folder_is_needed_is_named(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    folder.put_bytes("a", b"")
    with pytest.raises(DestinationError, match="'a/b': Not a directory"):
        folder.put_bytes("a/b", b"")


def test_a_folder_under_the_key_is_a_conflict(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    folder.put_bytes("a/b", b"")
    with pytest.raises(ObjectConflict, match="'a'"):
        folder.put_bytes("a", b"")


@pytest.mark.parametrize("key", ["a#1", "b/a#22", "x" * 300])
def test_names_that_a_local_folder_cannot_hold(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidKey):
        LocalFolder(tmp_path).put_bytes(key, b"")


def test_a_spooled_file_that_is_gone_may_be_tried_again(tmp_path: Path) -> None:
    with pytest.raises(DestinationUnavailable, match=r"'a\.parquet'"):
        LocalFolder(tmp_path).put("a.parquet", tmp_path / "gone", digest(b""))


FULL = """
import resource, sys
from pathlib import Path
from cio_pipeline.destinations import unfinished
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.errors import DiskFull
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    LocalFolder(Path(sys.argv[1])).put_bytes("a.parquet", b"x" * 100_000)
except DiskFull as error:
    print(error)
"""


def test_a_full_disk_is_named_and_nothing_is_visible(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "Cannot write 'a.parquet'" in found.stdout, found.stderr
    assert "Free some space" in found.stdout
    assert str(tmp_path) not in found.stdout
    assert list(LocalFolder(tmp_path).list()) == []


BOUNDED = """
import hashlib, re, sys
from pathlib import Path
from cio_pipeline.destinations import unfinished
from cio_pipeline.destinations.local import LocalFolder
def peak():
    # Not getrusage: its peak is handed down from the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1024
folder, file = LocalFolder(Path(sys.argv[1]) / "to"), Path(sys.argv[1]) / "spooled"
with file.open("wb") as out:
    out.truncate(200 * 2**20)
with file.open("rb") as body:
    sha256 = hashlib.file_digest(body, "sha256").hexdigest()
folder.put_bytes("warm", b"up")
before = peak()
folder.put("large", file, sha256)
print(round(peak() - before))
"""


def test_a_put_of_200_mb_takes_little_memory(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert int(found.stdout) < 32, found.stderr
    assert (tmp_path / "to" / "large").stat().st_size == 200 * 2**20


def test_two_writers_of_one_key_agree_or_conflict(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path / "to")
    bodies = [bytes([number % 2]) * 100_000 for number in range(8)]
    for key in ("same", "other"):
        chosen = bodies if key == "other" else bodies[:1] * 8
        with ThreadPoolExecutor(8) as pool:
            found = [pool.submit(folder.put_bytes, key, body) for body in chosen]
        lost = [one.exception() for one in found if one.exception()]
        assert len(lost) == (0 if key == "same" else 4)
        assert all(isinstance(error, ObjectConflict) for error in lost)
        assert folder.get(key) in bodies
    assert sorted(p.name for p in folder.root.iterdir()) == ["other", "same"]


def test_it_says_where_it_is(tmp_path: Path) -> None:
    assert LocalFolder(tmp_path).describe() == f"local folder {tmp_path}"


def test_d8_where_nothing_can_be_made_that_alone_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (only,) = LocalFolder(tmp_path / "file" / "below").permissions()
    assert (only.name, only.granted) == ("create files", False)
    assert "verify" not in only.next_step
