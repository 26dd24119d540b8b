"""Tests of cio_pipeline.cli."""
