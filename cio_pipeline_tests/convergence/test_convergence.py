"""D1-D6: whatever happens, every sync was sent what the reference model says, once."""

import os

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test

from cio_pipeline_tests.convergence.machine import Convergence

EXAMPLES = int(os.environ.get("CIO_CONVERGENCE_EXAMPLES", "60"))
STEPS = int(os.environ.get("CIO_CONVERGENCE_STEPS", "30"))
RANDOM = "CIO_CONVERGENCE_RANDOM" in os.environ


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_d6_any_history_converges_to_what_the_reference_model_says() -> None:
    run_state_machine_as_test(
        Convergence,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not RANDOM,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
