"""The calls feed (C1 to C4)."""
