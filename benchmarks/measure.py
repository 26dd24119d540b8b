"""What a piece of work costs, measured in a process of its own.

On a shared machine only CPU seconds, counts and ratios within one run tell anything; the wall time
is noted all the same.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]


@dataclass
class Cost:
    """CPU seconds of the process and its children, wall seconds, and bytes asked of read().

    `kernel` is the part of `cpu` that was spent in the kernel.
    """

    cpu: float = 0.0
    kernel: float = 0.0
    wall: float = 0.0
    read_bytes: int = 0


@contextmanager
def measured() -> Generator[Cost]:
    """The cost of the block, filled in at its end."""
    cost = Cost()
    (user, kernel), wall, read = _cpu(), time.monotonic(), _read_bytes()
    try:
        yield cost
    finally:
        now = _cpu()
        cost.cpu = sum(now) - user - kernel
        cost.kernel = now[1] - kernel
        cost.wall = time.monotonic() - wall
        cost.read_bytes = _read_bytes() - read


def peak_mib() -> int:
    """The largest resident set of this process so far."""
    return _proc("status", "VmHWM:") // 1024


def in_child(
    function: str,
    *,
    home: Path | None = None,
    environment: Mapping[str, str] | None = None,
    **given: Any,
) -> Any:
    """What `module:function` of this package returns (JSON) in a fresh process, run in `home`."""
    command = [sys.executable, "-m", "benchmarks.measure", function, json.dumps(given)]
    told = {**os.environ, "PYTHONPATH": str(_ROOT), **(environment or {})}
    done = subprocess.run(  # noqa: S603 - our own module
        command, cwd=home, env=told, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


def _main() -> None:
    module, _, name = sys.argv[1].partition(":")
    function = getattr(importlib.import_module(f"benchmarks.{module}"), name)
    found = function(**json.loads(sys.argv[2]))
    sys.stdout.write(f"\n{json.dumps(found)}\n")


def _cpu() -> tuple[float, float]:
    """Seconds in programs and in the kernel."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime for usage in usages), sum(usage.ru_stime for usage in usages)


def _read_bytes() -> int:
    return _proc("io", "rchar:")


def _proc(name: str, label: str) -> int:
    for line in Path(f"/proc/self/{name}").read_text().splitlines():
        if line.startswith(label):
            return int(line.split()[1])
    raise KeyError(label)


if __name__ == "__main__":
    _main()
