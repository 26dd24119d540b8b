#!/usr/bin/env python3
"""`make demo-sakila`: map the Sakila database, load it, send 21 windows, prove and read them.

    run.py SAKILA

SAKILA is the dump sakila-mv-data.sql, or a folder with customer.csv, rental.csv and payment.csv.
Each step is a command that can be typed as well; one process for those of cio-pipeline saves 70
starts. Run it from the repository's root.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
HOME = Path(".cio/sakila")
"""Where syncs.yaml and merge.sql look, too."""

DATA = "https://raw.githubusercontent.com/datacharmer/test_db/master/sakila/sakila-mv-data.sql"


def main(sakila: Path) -> None:
    """Do all steps, telling each."""
    if not sakila.exists():
        sys.exit(f"{sakila} is not there. The data is public:\n  curl --remote-name {DATA}")
    shutil.rmtree(HOME, ignore_errors=True)
    cio("source init")
    python(f"{HERE}/map_sakila.py", str(sakila), f"{HOME}/input")
    cio(f"sync apply {HERE}/syncs.yaml --at 2026-03-02T09:00")
    loads = (HOME / "input/load.sh").read_text(encoding="utf-8").splitlines()
    for line in loads:
        if line.startswith("cio-pipeline "):
            cio(line.removeprefix("cio-pipeline "))
    cio("export --window 2026-03-02T09:00 --until 2026-03-02T14:15")
    cio("verify")
    python("-c", f"import duckdb; duckdb.sql(open('{HERE}/merge.sql').read()).show()")


def python(*words: str) -> None:
    """Run Python in a process of its own."""
    tell(f"python {shlex.join(words)}")
    subprocess.run([sys.executable, *words], check=True)  # noqa: S603 - ours


def cio(words: str) -> None:
    """Run a command line of cio-pipeline in this process."""
    from cio_pipeline.cli.app import main as command_line  # noqa: PLC0415 - after CIO_HOME is set

    tell(f"cio-pipeline {words}")
    sys.argv = ["cio-pipeline", *shlex.split(words)]
    try:
        command_line()
    except SystemExit as done:
        if done.code:
            raise


def tell(command: str) -> None:
    """Show a command as it would be typed."""
    print(f"$ {command}", flush=True)  # noqa: T201 - the script's output


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the script and its argument
        sys.exit(__doc__)
    os.environ["CIO_HOME"] = str(HOME)
    for elsewhere in ("CIO_SOURCE", "CIO_LEDGER", "DAGSTER_HOME"):
        os.environ.pop(elsewhere, None)
    main(Path(sys.argv[1]))
