"""D1-D6: whatever happens, every sync was sent what the reference model says, once.

`CIO_CONVERGENCE_EXAMPLES` sets the number of histories (200; 1.5 CPU-seconds each). They are the
same ones in every run; `CIO_CONVERGENCE_SEED=N` plays others. They come in parts of their own, so
that several processes share them.
"""

import os

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from cio_pipeline_tests.convergence.machine import Convergence

EXAMPLES = int(os.environ.get("CIO_CONVERGENCE_EXAMPLES", "200"))
SEED = int(os.environ.get("CIO_CONVERGENCE_SEED", "1"))
PARTS = 8


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_d6_any_history_converges_to_what_the_reference_model_says(part: int) -> None:
    print(f"CIO_CONVERGENCE_SEED={SEED}")  # noqa: T201 - pytest shows it where this fails
    run_state_machine_as_test(
        seed(SEED * PARTS + part)(Convergence),
        settings=settings(
            max_examples=-(-EXAMPLES // PARTS),
            stateful_step_count=30,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
