"""Who is given up since he is stuck: told by what the others did, however busy the machine is."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cio_pipeline.pipeline import in_parallel as module
from cio_pipeline.pipeline.in_parallel import in_parallel


def given_up_when_others_ended(
    patch: pytest.MonkeyPatch, user: ModuleType, stuck: Callable[[Any], bool]
) -> None:
    """For what `user` does in parallel, time stands still until all came to their end but these."""
    seconds = count()
    now, others = 0, 0

    def monotonic() -> float:
        nonlocal now
        now = now if others else next(seconds)
        return now

    def noted(
        work: Callable[[Any], Any],
        items: Sequence[Any],
        threads: int,
        patience: float | None = None,
    ) -> Iterator[tuple[Any, Any, float]]:
        nonlocal others
        others = sum(not stuck(one) for one in items)
        for ended in in_parallel(work, items, threads, patience):
            others -= not stuck(ended[0])
            yield ended

    patch.setattr(module, "time", SimpleNamespace(monotonic=monotonic))
    patch.setattr(user, "in_parallel", noted)
