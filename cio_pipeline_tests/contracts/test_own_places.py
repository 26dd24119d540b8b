"""Tests leave alone what belongs to whoever runs them."""

import os
import subprocess
import sys


def test_no_test_knows_the_home_the_ledger_or_the_runs_of_a_user() -> None:
    """`make` exports them: runs of tests stood among those of the demo in its UI."""
    theirs = {"CIO_HOME": "/a", "CIO_LEDGER": "sqlite:////b", "DAGSTER_HOME": "/c"}
    shown = f"import os, cio_pipeline_tests.conftest; print([os.getenv(n) for n in {[*theirs]}])"
    done = subprocess.run(
        [sys.executable, "-c", shown],
        env={**os.environ, **theirs},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[None, None, None]\n"
