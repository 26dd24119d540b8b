"""Proving from a bucket and its manifests that a sync is whole."""
