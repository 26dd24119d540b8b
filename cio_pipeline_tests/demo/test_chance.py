"""Chance is stateless and the same everywhere."""

import polars as pl
import pytest

from cio_pipeline.demo.chance import below, choice, drawing, key_of, keyed


def _keys(count: int) -> pl.DataFrame:
    return pl.select(key=keyed(pl.int_range(count), key_of(1, "test")))


def test_draws_are_the_same_in_every_process_and_release() -> None:
    drawn = _keys(3).select(below(drawing("key")("a"), 10**9)).to_series().to_list()
    assert drawn == [239910728, 737607083, 202793780]


def test_draws_are_uniform_and_differ_by_purpose() -> None:
    drawn = _keys(20_000).select(a=drawing("key")("a"), b=drawing("key")("b"))
    for name in ("a", "b"):
        column = drawn[name]
        assert column.is_between(0, 1, closed="left").all()
        assert column.mean() == pytest.approx(0.5, abs=0.01)
        assert column.std() == pytest.approx(12**-0.5, abs=0.01)
    assert drawn.select(pl.corr("a", "b")).item() == pytest.approx(0, abs=0.02)


def test_keys_of_a_million_things_are_distinct() -> None:
    assert _keys(1_000_000)["key"].n_unique() == 1_000_000


def test_a_choice_is_made_among_all_the_items() -> None:
    chosen = _keys(200).select(x=choice(drawing("key")("c"), ("ü", None, "z")))
    assert set(chosen["x"].to_list()) == {"ü", None, "z"}
