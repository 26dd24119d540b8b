"""Checks: what is gathered of a window, once for all syncs, and what is found in it (O1)."""
