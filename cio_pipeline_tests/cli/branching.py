"""A process that has started branches for each call of the command line, and says what it imported.

A process of its own for each call would start Python and import what all of them need again. Run
as a program: its arguments are modules to import first.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Trunk:
    """The process that has started, as who asks it sees it."""

    asked: IO[str]
    answers: IO[str]

    def imported_by(self, *arguments: str, home: Path) -> set[str]:
        """Top-level modules that a call of the command line leaves imported."""
        print(json.dumps([str(home), *arguments]), file=self.asked, flush=True)
        return set(json.loads(self.answers.readline()))


@contextmanager
def trunk_with(*modules: str) -> Iterator[Trunk]:
    """Start a process that has imported some modules, and end it afterwards."""
    command = [sys.executable, __file__, *modules]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Trunk(process.stdin, process.stdout)


def _branch(home: str, *arguments: str) -> str:
    """What a call in a process of its own leaves imported, as JSON."""
    out, into = os.pipe()
    if not os.fork():
        from cio_pipeline.cli.app import app  # noqa: PLC0415 - what is imported is what counts

        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        os.environ["CIO_HOME"] = home
        with suppress(BaseException):
            app(arguments)
        found = sorted({name.partition(".")[0] for name in sys.modules})
        os.write(into, json.dumps(found).encode())
        os._exit(0)
    os.close(into)
    with open(out) as told:  # noqa: PTH123 - no path
        answer = told.read()
    os.wait()
    return answer


if __name__ == "__main__":
    for module in sys.argv[1:]:
        import_module(module)
    for line in sys.stdin:
        sys.stdout.write(f"{_branch(*json.loads(line))}\n")
        sys.stdout.flush()
