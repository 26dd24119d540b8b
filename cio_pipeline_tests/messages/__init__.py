"""The messages feed (M1 to M4)."""
