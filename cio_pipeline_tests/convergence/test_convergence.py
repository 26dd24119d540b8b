"""D1-D6: whatever happens, every sync was sent what the reference model says, once.

`CIO_CONVERGENCE_EXAMPLES` sets the number of histories (2 to 3 CPU-seconds each): 24 in `make
test`, 280 in `make test-deep`. A tenth as many are played on each of the stores, and on
PostgreSQL. They are the same ones in every run; `CIO_CONVERGENCE_SEED=N` plays others. They come in
parts of their own, so that several processes share them.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from cio_pipeline_tests.azurite import Azurite
from cio_pipeline_tests.convergence.machine import Convergence
from cio_pipeline_tests.convergence.postgres_machine import OnPostgres
from cio_pipeline_tests.convergence.stores import OnAzure, OnS3, Store
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, moto_server
from cio_pipeline_tests.postgres import Cluster

pytestmark = pytest.mark.histories

EXAMPLES = int(os.environ.get("CIO_CONVERGENCE_EXAMPLES", "24"))
SEED = int(os.environ.get("CIO_CONVERGENCE_SEED", "1"))
PARTS = 8
ON_STORES = -(-EXAMPLES // 10)
"""Histories on each of the stores, of fewer steps."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_d6_any_history_converges_to_what_the_reference_model_says(part: int) -> None:
    play(Convergence, SEED * PARTS + part, examples=-(-EXAMPLES // PARTS), steps=30)


def play(machine: type[Convergence], number: int, examples: int, steps: int) -> None:
    """Some histories, the same ones for the same number."""
    print(f"CIO_CONVERGENCE_SEED={SEED}")  # noqa: T201 - pytest shows it where this fails
    run_state_machine_as_test(
        seed(number)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


@pytest.fixture(params=["s3", "azure"])
def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
) -> Iterator[Store]:
    """A store that speaks its real protocol."""
    if request.param == "s3":
        monkeypatch.setenv("S3_KEY_ID", KEY_ID)
        monkeypatch.setenv("S3_SECRET", SECRET)
        with moto_server() as server:
            yield OnS3(server)
    else:
        yield OnAzure(azurite, monkeypatch.setenv)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_d6_d8_histories_converge_on_s3_and_azure(store: Store) -> None:
    class OnStore(Convergence):
        def store(self) -> Store:
            return store

    play(OnStore, SEED, examples=ON_STORES, steps=10)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_d6_histories_converge_on_tables_in_postgresql(postgres_cluster: Cluster) -> None:
    class OnCluster(OnPostgres):
        cluster = postgres_cluster

    play(OnCluster, SEED, examples=ON_STORES, steps=20)
