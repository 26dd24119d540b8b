"""Tests of cio_pipeline.defs."""
