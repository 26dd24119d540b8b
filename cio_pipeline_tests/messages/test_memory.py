"""B13 and C3: a file of messages or calls is loaded in memory that does not grow with the file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.sources.tables import create_tables

MEBI = 2**20
LOAD = """
import resource, sys
from cio_pipeline.cli.app import app
try:
    app(["source", "load", *sys.argv[1:], "--workspace", "1", "--json"])
except SystemExit as done:
    assert not done.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)
"""


def peak(folder: Path, table: str, mebibytes: int) -> tuple[int, int]:
    """Bytes of memory at most, and rows, of a process that loads a file of some size."""
    home = folder / str(mebibytes)
    home.mkdir()
    create_tables(str(home / "source"), [SOURCE_TABLES[table]])
    file = home / "big.ndjson"
    with file.open("w") as out:
        for number in range(mebibytes * 128):
            text = "".join(chr(33 + (number * step) % 90) for step in range(90)).replace('"', "")
            payload = {"n": number, "text": [text.replace("\\", "")] * 80}
            line = (
                {"type": "page", "properties": payload} if table == "calls" else {"body": payload}
            )
            out.write(json.dumps(line) + "\n")
    environment = {
        **os.environ,
        "CIO_HOME": str(home / "home"),
        "CIO_SOURCE": f"delta:{home / 'source'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD, table, str(file)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stderr.split()[-1]), json.loads(done.stdout)["rows"]


@pytest.mark.parametrize("table", ["messages", "calls"])
def test_a_load_holds_a_part_of_the_file_at_a_time(tmp_path: Path, table: str) -> None:
    """The Parquet file that is being written is held, up to some 100 MB; no more of the load."""
    small, _ = peak(tmp_path, table, 100)
    large, rows = peak(tmp_path, table, 250)
    assert rows == 250 * 128
    assert large - small < 100 * MEBI, f"{small // MEBI} MiB for 100 MiB, {large // MEBI} for 250"
