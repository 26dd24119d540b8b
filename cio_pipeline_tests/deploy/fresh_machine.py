"""A machine with systemd of its own, on an overlay of this one's disk: see boot.sh."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from cio_pipeline_tests.deploy.test_files import ROOT
from cio_pipeline_tests.waiting import PATIENCE, until

PROGRAMS = ("unshare", "nsenter", "setpriv", "ip", "runuser", "systemctl", "apt-get")
CHECKOUT = "/srv/release"
PATHS = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class FreshMachine:
    """`process` is its process 1; what it wrote to its disk lies in `disk`."""

    process: int
    disk: Path

    def run(self, script: str, *, check: bool = True, network: bool = False) -> str:
        """What a shell of root says in a checkout of the release; fails if a command does.

        Its network is its own, without a way out, unless it borrows that of this machine.
        """
        spaces = ["-m", "-p", "-u", "-i", "-C", "-r", "-w", *([] if network else ["-n"])]
        given = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        given |= {} if network else {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/wheels"}
        own = {"HOME": "/root", "LANG": "C.UTF-8", "PATH": PATHS, **given}
        shell = ["bash", "-euo", "pipefail", "-c", f"cd {CHECKOUT}\n{script}"]
        done = subprocess.run(
            ["nsenter", "-t", str(self.process), *spaces, *shell],
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{script}\n{done.stdout[-4000:]}"
        return done.stdout

    def place(self, path: str) -> Path:
        """A file of its disk that it has written."""
        return self.disk / path.removeprefix("/")


_TRIED = """
mkdir "$1/written" "$1/work" "$1/root" "$2"
rmdir "$2"
unshare --mount --pid --uts --ipc --cgroup --net --fork \
  mount -t overlay overlay -o "lowerdir=/,upperdir=$1/written,workdir=$1/work" "$1/root"
"""
"""What boot.sh needs, and leaves nothing."""


def require_possible() -> None:
    """Skip where no machine can be booted: without rights, systemd, control groups or network."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    groups = _groups()
    if missing or not Path("/lib/systemd/systemd").exists() or groups is None:
        pytest.skip(f"no systemd to boot here: {' '.join(missing)}")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--retries", "0"]
    with tempfile.TemporaryDirectory(prefix="cio-fresh-") as folder:
        group = groups / folder.replace("/", "-")
        if not _works("sh", "-euc", _TRIED, "sh", folder, str(group)):
            pytest.skip("namespaces, control groups or an overlay of its own are not allowed here")
        if not _works(*pip, "--dest", folder, "setuptools"):
            pytest.skip("packages cannot be had here")


def _works(*command: str) -> bool:
    return not subprocess.run(command, capture_output=True, check=False).returncode


@contextmanager
def booted() -> Iterator[FreshMachine]:
    """A machine with a checkout of this tree; it is gone at the end, and all it wrote."""
    require_possible()
    folder = Path(tempfile.mkdtemp(prefix="cio-fresh-"))
    disk = folder / "written"
    without = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, disk / CHECKOUT[1:], ignore=without)
    with (folder / "log").open("wb") as log:
        boot = subprocess.Popen(
            [Path(__file__).with_name("boot.sh"), folder],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        found = FreshMachine(until("systemd", PATIENCE, lambda: _first_process(boot.pid)), disk)
        until("its start", PATIENCE, lambda: "running" in found.run(STATE, check=False))
        yield found
    finally:
        process = _first_process(boot.pid)
        if process:
            os.kill(process, signal.SIGKILL)
        boot.kill()
        boot.wait(20)
        _remove_groups(folder)
        shutil.rmtree(folder, ignore_errors=True)


STATE = "systemctl is-system-running --wait"


def _first_process(of: int) -> int | None:
    """Process 1 of the namespaces that a process made, once it is systemd."""
    with suppress(OSError):
        for child in Path(f"/proc/{of}/task/{of}/children").read_text().split():
            if b"/lib/systemd/systemd" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return None


def _groups() -> Path | None:
    """Where control groups of the second version are mounted."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next((Path(one[1]) for one in mounts if one[2] == "cgroup2"), None)


def _remove_groups(folder: Path) -> None:
    """Its control groups go once its last process has."""
    of_it = (_groups() or folder) / str(folder).replace("/", "-")

    def gone() -> bool:
        for group, _, _ in os.walk(of_it, topdown=False):
            with suppress(OSError):
                Path(group).rmdir()
        return not of_it.exists()

    until("the end of its processes", PATIENCE, gone)
