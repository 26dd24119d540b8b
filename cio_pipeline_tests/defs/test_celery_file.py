"""deploy/celery.yaml, read as the workers' command line does."""

from pathlib import Path

import pytest
from celery import Celery
from dagster_celery.cli import get_validated_config

FILE = Path(__file__).parents[2] / "deploy/celery.yaml"


def test_workers_of_celery_start_with_their_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that Celery does not know would be ignored without a word."""
    monkeypatch.setenv("DAGSTER_CELERY_BROKER", "memory://")
    monkeypatch.setenv("DAGSTER_CELERY_BACKEND", "rpc://")
    found = get_validated_config(str(FILE))
    assert (found["broker"], found["backend"]) == ("memory://", "rpc://")
    assert found["config_source"].keys() <= set(Celery().conf.keys())
    assert found["config_source"]["worker_disable_prefetch"] is True
