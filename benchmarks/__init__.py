"""What the data-out core costs, measured: `python -m benchmarks --help`, or `make bench`.

One module per benchmark; each measures in child processes and reports ratios from one run, so
that its numbers mean something on a busy machine. None gates a test: what is *counted* (files
opened, queries, scans) is asserted in `cio_pipeline_tests/cost`.
"""
