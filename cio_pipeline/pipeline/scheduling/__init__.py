"""Which runs are wanted, and when."""
