"""`python -m benchmarks.traced_path [--list]`: the way of one changed row through the product.

One sync with the embedded defaults (SQLite, Delta tables, a local folder) was sent all people; then
one row changes, and its window is run: what the Dagster asset, the IO manager and the manifest's
asset call. Counted are the functions of `cio_pipeline` that are entered meanwhile, in any thread: a
function is a code object that `def` made (no lambda, comprehension, generator expression, body of a
module or class, nothing that dataclasses or pydantic write). A call is an entry into one of them;
each step of a generator is one, too.
"""

import argparse
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from rich.console import Console

import cio_pipeline
from benchmarks.product import BEFORE, NEXT, Product, empty_source, fill
from benchmarks.rows import numbered, rows
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.run_export import deliver_export, plan_export
from cio_pipeline.pipeline.services import Services

MOST_FILES, MOST_FUNCTIONS = 40, 180
EXPORT = "people"
_PACKAGE = Path(cio_pipeline.__file__).parent


def main() -> None:
    """Print what was counted beside the goals; with `--list`, every function and its calls, too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.traced_path", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name every function")
    named = parser.parse_args().list
    with tempfile.TemporaryDirectory(prefix="cio-traced-") as folder:
        os.chdir(folder)
        entered = trace_one_row(Product(Path(folder), Path(folder) / "source"))
    tell = Console(highlight=False).out
    by_file = {_file(code): Counter[CodeType]() for code in sorted(entered, key=_place)}
    for code in sorted(entered, key=_place):
        by_file[_file(code)][code] = entered[code]
    for file, calls in by_file.items():
        tell(f"{len(calls):4} functions {calls.total():5} calls  {file}")
        for code, times in calls.items() if named else ():
            tell(f"{times:20} {'':7}{code.co_qualname}")
    in_ledger = sum(calls.total() for file, calls in by_file.items() if "ledger" in file.parts[:1])
    tell(f"files      {len(by_file):5}  (goal: at most {MOST_FILES})")
    tell(f"functions  {len(entered):5}  (goal: at most {MOST_FUNCTIONS})")
    tell(f"calls      {entered.total():5}  of these in the ledger {in_ledger}")


def trace_one_row(product: Product) -> Counter[CodeType]:
    """How often each function was entered while one changed row went to its bucket."""
    people = SOURCE_TABLES[EXPORT]
    empty_source(product.folder)
    fill(product.folder, people, rows(people, numbered(1, 0, 10), BEFORE.start), BEFORE)
    product.register(1, [EXPORT])
    services = product.services()
    _send(services, BEFORE)
    changed = rows(people, numbered(1, 3, 1), NEXT.start, revision=2)
    fill(product.folder, people, changed, NEXT)
    with _entered() as entered:
        _send(services, NEXT)
    files = sorted(path.name for path in product.home.glob("bucket/*/*.parquet"))
    if files != [f"{EXPORT}_v5_1_1.parquet", f"{EXPORT}_v5_chngs_1_1.parquet"]:
        raise AssertionError(f"the changed row was not sent: {files}")
    return entered


def _send(services: Services, window: Window) -> None:
    deliver_export(services, plan_export(services, EXPORT, window, Scope()))
    commit_window(services, window)


@contextmanager
def _entered() -> Generator[Counter[CodeType]]:
    found: Counter[CodeType] = Counter()
    ours: dict[CodeType, bool] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if code not in ours:
            ours[code] = _is_ours(code)
        if event == "call" and ours[code]:
            found[code] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _is_ours(code: CodeType) -> bool:
    made_by_def = code.co_flags & CO_OPTIMIZED and not code.co_name.startswith("<")
    return bool(made_by_def) and Path(code.co_filename).is_relative_to(_PACKAGE)


def _file(code: CodeType) -> Path:
    return Path(code.co_filename).relative_to(_PACKAGE)


def _place(code: CodeType) -> tuple[Path, int]:
    return _file(code), code.co_firstlineno


if __name__ == "__main__":
    main()
