#!/usr/bin/env python3
"""`make demo-cloud`: the demo on S3 and Azure, with moto and Azurite in their place.

Both keep what they get in memory and end with the demo. Run it from the repository's root.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

from moto.server import ThreadedMotoServer

from cio_pipeline.destinations.policy import RIGHTS
from cio_pipeline_tests.azurite import running_azurite
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server

SYNCS = Path(__file__).with_name("syncs.yaml")
PORT = 9123
"""Of S3, as syncs.yaml says."""


def main() -> int:
    """Start both stores, make a bucket and a container, run the demo; its exit code."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=PORT, verbose=False)
    s3.start()
    try:
        with running_azurite() as azure:
            S3Server(f"http://127.0.0.1:{PORT}").admin.create_bucket(
                Bucket="acme-data-out",
                CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
            )
            container = azure.new_container()
            container.set_policy("cio-beta-azure", RIGHTS)
            secrets = {
                "ACME_KEY_ID": KEY_ID,
                "ACME_SECRET": SECRET,
                "BETA_SAS_URL": container.policy_url("cio-beta-azure"),
            }
            return demo({**os.environ, **secrets})
    finally:
        s3.stop()


def demo(environment: dict[str, str]) -> int:
    """Run the demo with these syncs; its exit code."""
    program = Path(sys.executable).with_name("cio-pipeline")
    arguments = [program, "demo", "--fresh", "--syncs", SYNCS]
    return subprocess.run(arguments, env=environment, check=False).returncode  # noqa: S603 - ours


if __name__ == "__main__":
    sys.exit(main())
