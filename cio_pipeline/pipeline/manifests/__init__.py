"""Listing what was committed in each sync's chain of manifests."""
