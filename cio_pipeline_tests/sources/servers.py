"""S3 in a process of its own: deltalake may hold Python's lock while it waits for an answer."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cio_pipeline_tests.destinations.servers import S3Server
from cio_pipeline_tests.ports import free_port
from cio_pipeline_tests.waiting import PATIENCE, until


@contextmanager
def s3_process() -> Iterator[S3Server]:
    """A moto server on a free port, stopped at the end."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            until("moto", PATIENCE, lambda: _answers(port))
            yield S3Server(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
