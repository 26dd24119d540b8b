"""Tests of cio_pipeline.model."""
