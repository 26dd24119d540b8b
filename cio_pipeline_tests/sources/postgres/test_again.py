"""D5, D6, D10, C1, M1: what other tests show on tables in Delta Lake is so on PostgreSQL, too."""

from collections.abc import Callable, Iterator
from inspect import isfunction, signature
from types import ModuleType
from typing import Any

import pytest

from cio_pipeline_tests.calls import test_windows
from cio_pipeline_tests.messages import test_sending
from cio_pipeline_tests.pipeline import test_slices
from cio_pipeline_tests.recovery import (
    test_abandon,
    test_catch_up,
    test_feeds,
    test_rebuild,
    test_restore,
    test_sealed_anew,
)
from cio_pipeline_tests.recovery import test_slices as test_lost_slices

pytestmark = pytest.mark.deep

OF_DELTA = {
    # They write to its files or log, or date commits, which decides on the window there.
    "test_d10_cuts_that_the_log_no_longer_tells_do_not_matter",
    "test_d10_history_that_came_late_goes_on_after_the_ledger_was_lost",
    "test_a_version_that_is_gone_is_named_and_the_altered_object_stays",
    "test_files_come_from_the_spool_while_they_lie_there",
    "test_rows_sent_from_quarantine_are_restored_too",
    "test_c1_calls_land_in_the_window_that_they_were_committed_in",
    "test_what_was_committed_in_a_window_is_sent_once",
    # A cut that an old backup decides anew is a later one, and told as that: the ledger is rebuilt.
    "test_d6_an_old_backup_that_sent_equal_bytes_again_is_mended_too",
    # They commit an identity of an append-only table twice.
    "test_d10_what_was_held_back_and_sent_since_is_told_from_what_was_not",
}


def again(*modules: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The tests of some modules that take a world, under names of their own."""
    for module in modules:
        of = "_".join(module.__name__.split(".")[-2:])
        for name, test in vars(module).items():
            known = name.startswith("test_") and isfunction(test) and name not in OF_DELTA
            if known and "world" in signature(test).parameters:
                yield f"{name}__{of}", test


globals().update(
    again(
        test_rebuild,
        test_catch_up,
        test_lost_slices,
        test_feeds,
        test_abandon,
        test_restore,
        test_sealed_anew,
        test_slices,
        test_sending,
        test_windows,
    )
)
