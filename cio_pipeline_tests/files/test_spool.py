import errno
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.files.spool import Spool, sha256_of
from cio_pipeline.files.system_errors import error_number, spool_error
from cio_pipeline.model.errors import DiskFull, InvalidConfig, InvalidKey


def test_folders_are_made_and_discarded(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.folder("17/people")
    (folder / "a.parquet").write_bytes(b"x")
    assert spool.path("17/people/a.parquet").read_bytes() == b"x"
    spool.discard("17")
    spool.discard("17")
    assert not folder.exists()


def test_a_file_that_comes_while_a_folder_is_removed_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "spool")
    late = spool.folder("17") / "late.parquet"
    remove, coming = os.rmdir, [late]

    def first_comes_a_file(*arguments: Any, **options: Any) -> None:
        if coming:
            coming.pop().write_bytes(b"x")
        remove(*arguments, **options)

    monkeypatch.setattr(os, "rmdir", first_comes_a_file)
    spool.discard("17")
    assert not late.parent.exists()


def test_threads_of_a_failed_writer_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that come while the folder is watched, the second after a first was removed."""
    spool = Spool(tmp_path / "spool")
    spool.folder("17")
    sleep, coming = time.sleep, ["late.parquet", None, "later.parquet"]

    def a_file_comes(seconds: float) -> None:
        if coming and (name := coming.pop(0)):
            (spool.folder("17") / name).write_bytes(b"x")
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", a_file_comes)
    spool.abandon("17")
    assert coming == []
    assert not spool.path("17").exists()


def test_folders_are_listed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert spool.folders() == ()
    for name in ("b-2", "a-1/x"):
        spool.folder(name)
    (spool.root / "file").write_bytes(b"")
    assert spool.folders() == ("a-1", "b-2")
    with pytest.raises(InvalidConfig, match="Not a directory"):
        Spool(spool.root / "file").folders()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/etc", "a/../b", "a//b", "a/", ".hidden", "a\\b", "a b", "a\n", "é"]
)
def test_names_that_could_leave_the_spool_are_refused(tmp_path: Path, name: str) -> None:
    spool = Spool(tmp_path)
    for use in (spool.folder, spool.path, spool.discard):
        with pytest.raises(InvalidKey):
            use(name)


def test_a_spool_that_is_a_file_is_named(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_bytes(b"")
    with pytest.raises(InvalidConfig, match="Not a directory"):
        Spool(root).folder("a")


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    body = bytes(range(256)) * 10_000
    (tmp_path / "f").write_bytes(body)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC),
        (ValueError("underlying IO error: No space left on device (os error 28)"), 28),
        (ValueError("source: Os {\n code: 122,\n kind: Other"), 122),
        (ValueError("anything"), None),
    ],
)
def test_error_numbers_are_found(error: Exception, number: int | None) -> None:
    assert error_number(error) == number


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_space_is_told_from_no_permission(number: int) -> None:
    assert isinstance(spool_error(OSError(number, "x")), DiskFull)
    assert isinstance(spool_error(OSError(errno.EACCES, "x")), InvalidConfig)
    assert spool_error(OSError(errno.EIO, "x")) is None


def test_o5_a_spool_in_which_nothing_can_be_locked_says_so(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with (
        pytest.raises(InvalidConfig, match="spool folder"),
        Spool(tmp_path / "spool", 1).one_writer(),
    ):
        pass
