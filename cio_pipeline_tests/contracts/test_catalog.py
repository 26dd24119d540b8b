"""D1: which exports there are, and the error for one that there is not."""

import pytest

from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS, export, exports_of
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import UnknownExport


def test_d1_v5_has_all_fifteen_and_v4_the_first_seven():
    assert tuple(EXPORTS.values()) == exports_of(5)
    assert exports_of(4) == exports_of(5)[:7]
    assert (len(exports_of(4)), len(exports_of(5))) == (7, 15)
    assert VERSIONS == (4, 5)


def test_each_export_is_driven_by_a_table_of_its_own():
    assert {e.source for e in ALL_EXPORTS.values()} == set(SOURCE_TABLES)


@pytest.mark.parametrize("name", list(EXPORTS))
def test_an_export_is_found_by_name(name: str):
    assert export(name).name == name
    assert export(name, 5) is export(name)


def test_an_unknown_export_is_named_with_the_closest_and_all_known():
    with pytest.raises(UnknownExport) as caught:
        export("Delivery")
    assert "'Delivery'" in caught.value.message
    assert "Did you mean 'deliveries'?" in caught.value.next_step
    for name in EXPORTS:
        assert name in caught.value.next_step


def test_an_export_that_is_like_nothing_gets_no_suggestion():
    with pytest.raises(UnknownExport) as caught:
        export("zzz", 4)
    assert "in v4" in caught.value.message
    assert "Did you mean" not in caught.value.next_step
    assert "events" not in caught.value.next_step


def test_an_export_that_came_later_says_so():
    with pytest.raises(UnknownExport, match=r"v4 has no export 'events'; it came with v5"):
        export("events", 4)
