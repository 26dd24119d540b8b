"""Tests of cio_pipeline.pipeline."""
