"""Names of files of calls (C1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.contracts.exports.calls import CALL_TYPES
from cio_pipeline.files.call_names import FORMATS, CallFileName, parse_call_name, render_call_name
from cio_pipeline.model.errors import InvalidKey

NUMBERS = st.one_of(st.integers(1, 20), st.integers(1, 2**63 - 1))
NAMES = st.builds(
    CallFileName,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.sampled_from(CALL_TYPES),
    st.sampled_from(FORMATS),
)


def test_c1_the_name_of_the_seed() -> None:
    name = CallFileName(2184, 13699, 1, "track", "json")
    assert render_call_name(name) == "2184.13699.1.track.json"


@given(NAMES)
def test_c1_parse_is_the_inverse_of_render(name: CallFileName) -> None:
    assert parse_call_name(render_call_name(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "2184.13699.0.track.json",
        "2184.13699.01.track.json",
        "2184.13699.1.Track.json",
        "2184.13699.1.teleport.json",
        "2184.13699.1.track.xml",
        "2184.13699.track.json",
        "a/2184.13699.1.track.json",
        f"2184.13699.{2**63}.track.json",
        "2184.13699.1.track.json\n",
    ],
)
def test_c1_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        parse_call_name(text)


@given(st.text("0123456789.trackjsonpage", max_size=40))
def test_c1_whatever_parses_renders_to_itself(text: str) -> None:
    try:
        name = parse_call_name(text)
    except InvalidKey:
        return
    assert render_call_name(name) == text
