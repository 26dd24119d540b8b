"""O8: where a verb puts a file that is there once it is whole."""

import os
from pathlib import Path

import pytest

from cio_pipeline.cli.parameters import put_at
from cio_pipeline.model.errors import InvalidConfig


@pytest.mark.parametrize("place", ["folder", "pipe", "missing/new", "file/new", "missing/.."])
def test_o8_a_file_is_put_in_no_place_of_something_else_and_below_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Else the file's unfinished part would be named, which nobody asked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidConfig, match=rf"^{place} (is no file|cannot be written)"):
        put_at(Path(place))
    for new in ("new", "file", "folder/new"):
        assert put_at(Path(new)) == Path(new)
