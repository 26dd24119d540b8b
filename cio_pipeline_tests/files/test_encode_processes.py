"""Encoding in processes of its own: other thread counts, other limits."""

import os
import subprocess
import sys
from pathlib import Path

from cio_pipeline_tests.files import digests


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, program, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_d2_the_same_rows_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    found = [
        run("-m", digests.__name__, str(tmp_path / threads), POLARS_MAX_THREADS=threads)
        for threads in ("1", "4")
    ]
    assert [f.stderr for f in found] == ["", ""]
    assert found[0].stdout == found[1].stdout
    assert [line.split()[:3] for line in found[0].stdout.splitlines()] == [
        ["1", "0", "140000"],
        ["1", "1", "10000"],
        ["2", "0", "140000"],
        ["2", "1", "10000"],
    ]


LIMITED = """
import resource, sys
from pathlib import Path
from cio_pipeline.model.errors import DiskFull
from cio_pipeline_tests.files.digests import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    main(Path(sys.argv[1]))
except DiskFull as error:
    print(error)
"""


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    found = run("-c", LIMITED, str(tmp_path))
    assert found.stdout.startswith("No space left in the spool"), found.stderr
    assert "CIO_HOME" in found.stdout
    assert str(tmp_path) not in found.stdout
    assert list(tmp_path.iterdir()) == []
