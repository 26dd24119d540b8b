"""Run as a program: encodes fixed rows and prints what came out, one file a line."""

import sys
from pathlib import Path

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.files.encode import encode
from cio_pipeline.files.spool import Spool
from cio_pipeline_tests.files.rows import NO_REJECTS, rows_of


def main(root: Path) -> None:
    export = EXPORTS["metrics"]
    rows = rows_of(export, 5, 300_000, workspaces=2)
    encoded = encode(
        rows, NO_REJECTS, export, 5, "us", rows_per_file=140_000, spool=Spool(root), folder="f"
    )
    for file in encoded.files:
        sys.stdout.write(f"{file.workspace_id} {file.index} {file.rows} {file.sha256}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
