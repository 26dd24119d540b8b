"""M4, D6: small objects of a local folder get their names once the bytes of all are durable."""

import errno
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.destinations import unfinished
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.files import whole_disk
from cio_pipeline.model.errors import (
    DestinationUnavailable,
    DiskFull,
    ObjectMissing,
)


def test_leftovers_of_killed_overwrites_are_removed_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "a.json#1").write_bytes(b"hal")
    folder = LocalFolder(tmp_path)
    folder.overwrite("a.json", b"half", {})
    folder.make_durable(["a.json"])
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a.json": b"half"}


def test_m4_what_another_writer_took_for_a_leftover_is_named_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    folder = LocalFolder(tmp_path)
    for key in ("a", "b"):
        folder.overwrite(key, b"whole", {})
    (tmp_path / "a#1").unlink()
    with pytest.raises(ObjectMissing, match="'a'"):
        folder.make_durable(["a", "b"])
    assert list(tmp_path.iterdir()) == []


def test_d4_objects_that_are_given_up_before_they_have_a_name_are_removed(tmp_path: Path) -> None:
    """A store that fails half-way, a disk that is full: no listing would ever show them."""
    folder = LocalFolder(tmp_path)
    for key in ("a", "a", "b/c"):
        folder.overwrite(key, b"half", {})
    del folder
    assert [p.name for p in tmp_path.rglob("*")] == ["b"]
    assert not open_below(tmp_path)


def open_below(folder: Path) -> list[str]:
    """What this process has open in a folder; other tests' threads may open and close their own."""
    found: list[str] = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(descriptor.readlink()))
    return [one for one in found if one.startswith(str(folder))]


@pytest.mark.parametrize("whole", [True, False], ids=["disk", "share"])
def test_d6_bytes_are_durable_before_a_name_leads_to_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """M4: a power failure leaves the earlier object or the later one, never half of it."""
    folder, done = LocalFolder(tmp_path), list[str]()
    syncs = whole_disk.sync_whole
    monkeypatch.setattr(unfinished, "can_sync_whole", lambda _: whole)
    monkeypatch.setattr(
        whole_disk, "sync_whole", lambda disk: (done.append("sync disk"), syncs(disk))
    )
    for name in ("fsync", "replace"):
        true = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, name=name, true=true: (done.append(name), true(*given))
        )
    keys = ["a", "b", "b", "c/d"]
    for number, key in enumerate(keys):
        folder.overwrite(key, b"%d" % number, {})
    folder.make_durable(keys)
    first = ["sync disk"] if whole else 4 * ["fsync"]
    assert done == [*first, *4 * ["replace"], *2 * ["fsync"]], "bytes, names, and both folders"
    found = {
        p.relative_to(tmp_path).as_posix(): p.read_bytes()
        for p in tmp_path.rglob("*")
        if p.is_file()
    }
    assert found == {"a": b"0", "b": b"2", "c/d": b"3"}


def test_d6_a_disk_that_does_not_keep_bytes_names_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = LocalFolder(tmp_path)
    folder.overwrite("a", b"earlier", {})
    folder.make_durable(["a"])

    def broken(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(whole_disk, "sync_whole", broken)
    monkeypatch.setattr(unfinished, "can_sync_whole", lambda _: True)
    for key in ("a", "b"):
        folder.overwrite(key, b"later", {})
    with pytest.raises(DiskFull):
        folder.make_durable(["a", "b"])
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"earlier"}


def test_d6_an_error_that_one_thread_heard_of_is_told_to_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells an open file once of bytes that it lost: whose they were it does not say."""
    folder, told = LocalFolder(tmp_path), iter([OSError(errno.EIO, "Input/output error")])

    def once(_: int) -> None:
        for error in told:
            raise error

    monkeypatch.setattr(whole_disk, "sync_whole", once)
    monkeypatch.setattr(unfinished, "can_sync_whole", lambda _: True)
    for key in ("a", "b", "c", "d"):
        folder.overwrite(key, b"lost", {})
    for keys in (["a", "b"], ["c", "d"]):
        with pytest.raises(DestinationUnavailable):
            folder.make_durable(keys)
    assert list(tmp_path.iterdir()) == []


def test_an_object_costs_a_few_system_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B13: a window may send a million messages; each is a file, a name, and their syncs."""
    folder, asked = LocalFolder(tmp_path), Counter[str]()
    for name in ("open", "write", "fsync", "replace", "unlink", "link", "stat", "lstat", "mkdir"):
        true = getattr(os, name)

        def counted(*given: Any, name: str = name, true: Any = true, **named: Any) -> Any:
            asked[name] += 1
            return true(*given, **named)

        monkeypatch.setattr(os, name, counted)
    for number in range(100):
        folder.overwrite(f"{number}.json", b"{}", {})
    folder.make_durable(f"{number}.json" for number in range(100))
    assert asked["open"] == 101, "each file, and their folder once"
    assert asked["fsync"] == 1, "the folder; the disk is synced once for all files"
    assert asked["write"] == asked["replace"] == 100
    assert asked["stat"] <= 100
    assert asked.keys() <= {"open", "fsync", "write", "replace", "stat"}
