"""Sealing plans, delivering them and committing what lies in the bucket."""
