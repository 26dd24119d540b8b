from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.files.names import (
    FileName,
    check_stem,
    check_stems,
    parse_key,
    parse_name,
    render_key,
    render_name,
)
from cio_pipeline.model.errors import InvalidConfig, InvalidKey
from cio_pipeline.model.plans import Series

BIGGEST = 2**63 - 1


def allowed(stem: str) -> bool:
    try:
        check_stem(stem)
    except InvalidConfig:
        return False
    return True


WORDS = st.sampled_from(["campaign", "_", "v", "v5", "_v", "chngs", "_chngs_", "7", "x", "__"])
STEMS = st.one_of(
    st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True),
    st.lists(WORDS, min_size=1, max_size=8).map("".join),
).filter(allowed)
NUMBERS = st.one_of(st.integers(1, 20), st.integers(1, BIGGEST))


@st.composite
def names(draw: st.DrawFn) -> FileName:
    series = draw(st.sampled_from(Series))
    part = draw(st.none() | NUMBERS) if series is Series.PLAIN else None
    return FileName(
        draw(STEMS), draw(st.integers(1, 99)), series, draw(NUMBERS), draw(NUMBERS), part
    )


@given(names())
def test_d5_parse_is_the_inverse_of_render(name: FileName) -> None:
    assert parse_name(render_name(name)) == name


@given(names(), st.none() | st.dates(date(1900, 1, 1)))
def test_d9_keys_of_both_layouts_parse_back(name: FileName, day: date | None) -> None:
    key = render_key(name, day)
    assert parse_key(key) == (name, day)
    assert key.endswith(render_name(name))


@pytest.mark.parametrize(
    "key",
    [
        "people/people_v5_1_2.parquet",
        "people/dt=2026-02-30/people_v5_1_2.parquet",
        "people/dt=20260301/people_v5_1_2.parquet",
        "events/dt=2026-03-01/people_v5_1_2.parquet",
        "old/people/dt=2026-03-01/people_v5_1_2.parquet",
        "/people_v5_1_2.parquet",
        "people/dt=2026-03-01/people.parquet",
    ],
)
def test_d9_anything_else_is_no_key(key: str) -> None:
    with pytest.raises(InvalidKey):
        parse_key(key)


@given(names(), names())
def test_d5_two_names_never_render_alike(one: FileName, other: FileName) -> None:
    assert (render_name(one) == render_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("deliveries_v5_1_1.parquet", FileName("deliveries", 5, Series.PLAIN, 1, 1)),
        ("people_v4_chngs_7_12.parquet", FileName("people", 4, Series.CHNGS, 7, 12)),
        ("metrics_v5_7_3_2.parquet", FileName("metrics", 5, Series.PLAIN, 7, 3, 2)),
        ("campaign_actions_v5_7_3.parquet", FileName("campaign_actions", 5, Series.PLAIN, 7, 3)),
        (
            "deliveries_v5_123456_202503041512345678.parquet",
            FileName("deliveries", 5, Series.PLAIN, 123456, 202503041512345678),
        ),
        ("a_chngs_v5_1_2.parquet", FileName("a_chngs", 5, Series.PLAIN, 1, 2)),
        ("a_5_v5_1_2.parquet", FileName("a_5", 5, Series.PLAIN, 1, 2)),
        ("vv5_v5_1_2.parquet", FileName("vv5", 5, Series.PLAIN, 1, 2)),
    ],
)
def test_d5_forms(text: str, name: FileName) -> None:
    assert parse_name(text) == name
    assert render_name(name) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "people.parquet",
        "people_v5_1.parquet",
        "people_v5_1_2.parquet ",
        "people_v5_1_2.parquet\n",
        "folder/people_v5_1_2.parquet",
        "people_v5_01_2.parquet",
        "people_v5_1_02.parquet",
        "people_v05_1_2.parquet",
        "people_v5_1_0.parquet",
        "people_v5_1_-2.parquet",
        "people_v5_1_9223372036854775808.parquet",
        "people_v5_chngs_1_2_3.parquet",
        "people_v5_1_2_3_4.parquet",
        "people_v5_1_2.PARQUET",
        "People_v5_1_2.parquet",
        "people_v5_1_\u0662.parquet",
        "_v5_1_2.parquet",
        "people_v5_old_v5_1_2.parquet",
        "people_v4_v5_1_2.parquet",
        f"{'a' * 65}_v5_1_2.parquet",
    ],
)
def test_d5_anything_else_is_no_name(text: str) -> None:
    with pytest.raises(InvalidKey):
        parse_name(text)


@pytest.mark.parametrize(
    "name",
    [
        FileName("people", 5, Series.CHNGS, 1, 2, 3),
        FileName("people", 5, Series.PLAIN, 1, 0),
        FileName("people", 5, Series.PLAIN, 1, BIGGEST + 1),
        FileName("people", 5, Series.PLAIN, -1, 1),
        FileName("people", 0, Series.PLAIN, 1, 1),
        FileName("people_v5", 5, Series.PLAIN, 1, 1),
        FileName("a/b", 5, Series.PLAIN, 1, 1),
    ],
)
def test_d5_what_would_not_parse_back_is_not_rendered(name: FileName) -> None:
    with pytest.raises(InvalidKey):
        render_name(name)


@pytest.mark.parametrize(
    "stem", ["", "A", "1a", "a-b", "a" * 65, "a\n", "people_v5", "people_v5_old", "x_v0_"]
)
def test_d5_stems_that_are_refused(stem: str) -> None:
    with pytest.raises(InvalidConfig, match="stem"):
        check_stem(stem)


@pytest.mark.parametrize(
    "stem", ["object_types", "delivery_contents", "chngs", "a_chngs", "v5", "a_v", "a_vx5", "a1_2"]
)
def test_d5_stems_that_are_allowed(stem: str) -> None:
    name = FileName(stem, 5, Series.CHNGS, 3, 4)
    check_stem(stem)
    assert parse_name(render_name(name)) == name


def test_d5_two_exports_cannot_share_a_stem() -> None:
    check_stems({"actions": "campaign_actions", "campaigns": "campaigns"})
    with pytest.raises(InvalidConfig, match="actions and campaigns"):
        check_stems({"actions": "campaigns", "campaigns": "campaigns"})
    with pytest.raises(InvalidConfig, match="version"):
        check_stems({"people": "people_v5"})
