"""M1: the metadata of an object parses back to that of its message."""

from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_pipeline.contracts.message_envelope import METADATA
from cio_pipeline.files.message_metadata import LARGEST, object_metadata

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=25)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(METADATA), TEXT))
def test_metadata_comes_back_as_it_was_and_is_fit_for_a_header(entries: dict[str, str]) -> None:
    stored = object_metadata(entries)
    assert {name: unquote(value) for name, value in stored.items()} == entries
    for value in stored.values():
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()
        assert "  " not in value


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("Acme Corp/a+b=c", "Acme Corp/a+b=c"),
        ("100%", "100%25"),
        ("グ", "%E3%82%B0"),
        (" a  b ", "%20a %20b%20"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil: 1"),
        ("", ""),
    ],
)
def test_only_what_a_header_cannot_carry_is_encoded(value: str, stored: str) -> None:
    assert object_metadata({"objectName": value}) == {"objectName": stored}


def test_metadata_that_no_object_can_carry_is_refused_without_its_values() -> None:
    exact = LARGEST - len("topic")
    assert object_metadata({"topic": "x" * exact})
    with pytest.raises(ValueError, match="2,049 bytes; S3 takes 2,048"):
        object_metadata({"topic": "x" * (exact + 1)})
    with pytest.raises(ValueError, match=r"metadata\.topic has half of a surrogate pair"):
        object_metadata({"topic": "\ud800"})
