"""The command line `cio-pipeline`: verbs over the use cases, tables or JSON as output."""

from cio_pipeline.cli.app import main

__all__ = ["main"]
