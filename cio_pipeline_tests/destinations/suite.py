"""What every destination must do; inherited by the tests of each (D8).

A subclass brings two fixtures: `destination`, empty and writable, and `forbidden`, one that
refuses writes; and says in `leave_unfinished` what a killed put leaves behind.
"""

import hashlib
import os
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from cio_pipeline.model.errors import (
    DestinationError,
    DestinationUnavailable,
    InvalidKey,
    ObjectConflict,
    ObjectMissing,
)
from cio_pipeline.model.objects import ObjectInfo
from cio_pipeline.ports import Destination

LARGE = 24 * 1024 * 1024 + 7
BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a\x00b",
    "a\nb",
    "a\x7f",
    "a\\b",
    "a\ud800",
    "a" * 1025,
    "é" * 513,
]


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class DestinationSuite(ABC):
    @abstractmethod
    def leave_unfinished(self, destination: Destination, key: str) -> None:
        """Leave what a put of `key` leaves when it is killed before the object is visible."""

    @pytest.fixture
    def spooled(self, tmp_path: Path) -> Path:
        path = tmp_path / "spooled"
        path.write_bytes(b"body")
        return path

    @abstractmethod
    def put_foreign(self, destination: Destination, key: str, body: bytes) -> None:
        """Put an object as somebody else's program does, whatever its key."""

    odd_keys: tuple[str, ...]
    """Keys that the store takes from others, and that no sync would ever put."""

    def test_d10_foreign_keys_hide_nothing_in_a_listing(self, destination: Destination) -> None:
        destination.put_bytes("good", b"12345")
        destination.put_bytes("_cio/1.manifest", b"123")
        for key in self.odd_keys:
            self.put_foreign(destination, key, b"x")
        sizes = {"good": 5, "_cio/1.manifest": 3} | dict.fromkeys(self.odd_keys, 1)
        found = list(destination.list())
        assert {one.key: one.size for one in found} == sizes
        assert found == sorted(found, key=lambda one: one.key)
        assert list(destination.list("_cio")) == [ObjectInfo("_cio/1.manifest", 3)]

    def put(self, destination: Destination, key: str, file: Path) -> None:
        destination.put(key, file, digest(file.read_bytes()))

    def test_a_put_object_can_be_read_in_every_way(
        self, destination: Destination, spooled: Path, tmp_path: Path
    ) -> None:
        self.put(destination, "people_v5_1_1.parquet", spooled)
        destination.download("people_v5_1_1.parquet", tmp_path / "copy")
        assert destination.get("people_v5_1_1.parquet") == b"body"
        assert (tmp_path / "copy").read_bytes() == b"body"
        assert destination.sha256("people_v5_1_1.parquet") == digest(b"body")
        assert list(destination.list()) == [ObjectInfo("people_v5_1_1.parquet", 4)]

    def test_the_same_body_again_is_success(self, destination: Destination, spooled: Path) -> None:
        for _ in range(2):
            self.put(destination, "a/b", spooled)
            destination.put_bytes("a/b", b"body")
        assert destination.get("a/b") == b"body"

    def test_another_body_is_a_conflict_and_never_overwrites(
        self, destination: Destination, spooled: Path
    ) -> None:
        destination.put_bytes("a/b", b"mine")
        for put in (
            lambda: self.put(destination, "a/b", spooled),
            lambda: destination.put_bytes("a/b", b"other"),
            lambda: destination.put_bytes("a/b", b""),
        ):
            with pytest.raises(ObjectConflict, match="'a/b'") as caught:
                put()
            assert caught.value.next_step
        assert destination.get("a/b") == b"mine"

    @pytest.mark.parametrize("size", [0, 4, LARGE])
    def test_d10_a_file_is_written_in_place_and_its_other_names_keep_what_it_was(
        self, destination: Destination, spooled: Path, tmp_path: Path, size: int
    ) -> None:
        """Also the spooled file, which in a folder is the object by another name."""
        self.put(destination, "x/a.parquet", spooled)
        again = tmp_path / "again"
        again.write_bytes(b"z" * size)
        for _ in range(2):
            destination.replace("x/a.parquet", again, digest(again.read_bytes()))
        assert destination.sha256("x/a.parquet") == digest(again.read_bytes())
        assert list(destination.list()) == [ObjectInfo("x/a.parquet", size)]
        assert spooled.read_bytes() == b"body"
        with pytest.raises(DestinationUnavailable, match="not the one that was sealed"):
            destination.replace("x/a.parquet", spooled, digest(b"other"))
        assert destination.sha256("x/a.parquet") == digest(again.read_bytes())
        # What a put compares with is what lies there now.
        with pytest.raises(ObjectConflict):
            self.put(destination, "x/a.parquet", spooled)
        destination.put("x/a.parquet", again, digest(again.read_bytes()))

    def test_d10_only_what_lies_there_is_written_in_place(
        self, destination: Destination, spooled: Path
    ) -> None:
        with pytest.raises(ObjectMissing):
            destination.replace("x/a.parquet", spooled, digest(b"body"))
        assert list(destination.list()) == []

    def test_what_a_killed_put_left_is_not_listed_and_does_not_stop_the_next(
        self, destination: Destination, spooled: Path
    ) -> None:
        self.leave_unfinished(destination, "x/a.parquet")
        assert list(destination.list()) == []
        with pytest.raises(ObjectMissing):
            destination.get("x/a.parquet")
        self.put(destination, "x/a.parquet", spooled)
        assert list(destination.list()) == [ObjectInfo("x/a.parquet", 4)]

    def test_forbidden_writes_are_named(self, forbidden: Destination, spooled: Path) -> None:
        for put in (
            lambda: self.put(forbidden, "cio/a.parquet", spooled),
            lambda: forbidden.put_bytes("cio/a.parquet", b""),
        ):
            with pytest.raises(DestinationError, match="cio/a") as caught:
                put()
            assert "right" in caught.value.next_step

    def test_a_spooled_file_that_is_not_what_was_sealed_never_becomes_an_object(
        self, destination: Destination, spooled: Path
    ) -> None:
        for sealed in (b"body and more", b"bod", b"", b"other"):
            with pytest.raises(DestinationUnavailable, match=r"'a\.parquet'") as caught:
                destination.put("a.parquet", spooled, digest(sealed))
            assert caught.value.next_step
        assert list(destination.list()) == []
        self.put(destination, "a.parquet", spooled)

    def test_empty_bodies(self, destination: Destination, tmp_path: Path) -> None:
        (tmp_path / "empty").write_bytes(b"")
        self.put(destination, "one", tmp_path / "empty")
        destination.put_bytes("two", b"")
        destination.download("two", tmp_path / "copy")
        assert destination.get("one") == destination.get("two") == b""
        assert (tmp_path / "copy").read_bytes() == b""
        assert destination.sha256("one") == digest(b"")
        assert [o.size for o in destination.list()] == [0, 0]

    def test_large_files(self, destination: Destination, tmp_path: Path) -> None:
        path = tmp_path / "large"
        path.write_bytes(os.urandom(1024 * 1024) * (LARGE // 2**20) + b"x" * (LARGE % 2**20))
        for _ in range(2):
            self.put(destination, "large", path)
        destination.download("large", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == path.read_bytes()
        assert destination.sha256("large") == digest(path.read_bytes())
        assert list(destination.list()) == [ObjectInfo("large", LARGE)]

    def test_listing_is_in_key_order_and_by_folder(self, destination: Destination) -> None:
        keys = ["a", "a-b/x", "ab/x", "b/10", "b/9", "b/c/d", "b0", "B", "é/1", "_cio/1.manifest"]
        for key in keys:
            destination.put_bytes(key, key.encode())
        assert [o.key for o in destination.list()] == sorted(keys)
        assert [o.key for o in destination.list("b")] == ["b/10", "b/9", "b/c/d"]
        assert [o.key for o in destination.list("b/c")] == ["b/c/d"]
        assert [o.key for o in destination.list("a")] == []
        assert list(destination.list("nowhere")) == []

    def test_unusual_keys(self, destination: Destination) -> None:
        keys = [
            "a b",
            "dt=2026-01-01/x",
            "a%20b",
            "a+b&c",
            "ü/ß",
            "a~",
            "a'b",
            "#1/x",
            "..a",
            "1e3",
        ]
        for key in keys:
            destination.put_bytes(key, key.encode())
        assert [o.key for o in destination.list()] == sorted(keys)
        assert [destination.get(key).decode() for key in keys] == keys

    def test_deleting_twice(self, destination: Destination) -> None:
        destination.put_bytes("a/b", b"body")
        for _ in range(2):
            destination.delete("a/b")
        destination.delete("a")
        destination.delete("never/was")
        assert list(destination.list()) == []
        destination.put_bytes("a/b", b"other")
        assert destination.get("a/b") == b"other"

    def test_missing_objects_are_named(self, destination: Destination, tmp_path: Path) -> None:
        destination.put_bytes("a/b", b"body")
        for key in ("nowhere", "a", "a/c", "a/b/c"):
            for read in (
                destination.get,
                destination.sha256,
                lambda key: destination.download(key, tmp_path / "copy"),
            ):
                with pytest.raises(ObjectMissing, match=f"'{key}'"):
                    read(key)

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_bad_keys_are_refused_by_every_method(
        self, destination: Destination, spooled: Path, key: str
    ) -> None:
        for use in (
            lambda: self.put(destination, key, spooled),
            lambda: destination.put_bytes(key, b""),
            lambda: destination.get(key),
            lambda: destination.download(key, spooled),
            lambda: destination.sha256(key),
            lambda: destination.delete(key),
            lambda: list(destination.list(key or "/")),
        ):
            with pytest.raises(InvalidKey):
                use()
        assert list(destination.list()) == []
