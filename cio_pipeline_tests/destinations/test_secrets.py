from pathlib import Path

import pytest

from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.model.errors import SecretMissing


def test_d8_a_reference_leads_to_a_variable_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\r\n")
    assert secret_of("env:ACME", {"ACME": "from a variable\n"}) == "from a variable"
    assert secret_of(f"file:{tmp_path / 'key'}", {}) == "from a file"


def test_d8_a_reference_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for reference, named in (
        ("env:ACME", "ACME"),
        ("env:EMPTY", "env:EMPTY"),
        (f"file:{tmp_path / 'gone'}", "No such file"),
        (f"file:{tmp_path}", "directory"),
        (f"file:{tmp_path / 'empty'}", "empty"),
        (f"file:{tmp_path / 'binary'}", "UTF-8"),
    ):
        with pytest.raises(SecretMissing, match=named) as caught:
            secret_of(reference, {"EMPTY": ""})
        assert caught.value.next_step
