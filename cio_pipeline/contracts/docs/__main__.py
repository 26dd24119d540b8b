"""`python -m cio_pipeline.contracts.docs FOLDER [--check]`."""

import argparse
import sys
from pathlib import Path

from cio_pipeline.contracts.docs.pages import stale, write
from cio_pipeline.model.errors import CioError

_WRONG = 2


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or with `--check` name the stale ones; the exit code is 1 if any is.

    2 means that the folder is not a documentation folder.
    """
    parser = argparse.ArgumentParser(prog="python -m cio_pipeline.contracts.docs")
    parser.add_argument("folder", type=Path, help="the documentation folder")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a page is stale")
    chosen = parser.parse_args(arguments)
    try:
        names = stale(chosen.folder) if chosen.check else write(chosen.folder)
    except CioError as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG
    done = "is stale" if chosen.check else "written"
    sys.stdout.writelines(f"{name} {done}\n" for name in names)
    return 1 if chosen.check and names else 0


if __name__ == "__main__":
    sys.exit(main())
