"""examples/postgres, as `make demo-postgres` runs it (15)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_d6_what_is_written_meanwhile_arrives_once(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    rule = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ndemo-postgres:")[1]
    command = rule.splitlines()[1].strip().replace("PYTHONPATH=. $(BIN)/", "")
    ours = {name: value for name, value in os.environ.items() if name[:4] != "CIO_"}
    ours.pop("DAGSTER_HOME", None)
    path = f"{Path(sys.executable).parent}{os.pathsep}{ours['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command.replace("$(SAKILA)", "")],
        cwd=tmp_path,
        env={**ours, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("$ cio-pipeline export --now") == 7
    assert "✓ rentals: complete up to manifest " in done.stdout
    assert "the files hold what PostgreSQL holds, each once" in done.stdout
    assert "$ export CIO_SOURCE=postgresql://cio_reader@/sakila" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr
