"""Documentation pages that are rendered from the declarations.

`python -m cio_pipeline.contracts.docs docs` writes them, `--check` tells which are stale.
"""
